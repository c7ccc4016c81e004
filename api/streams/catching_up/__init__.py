"""What is stored for readers who aren't live yet, read once for all who stand near by."""
