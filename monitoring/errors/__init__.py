"""What failed and why, without what was in it."""
