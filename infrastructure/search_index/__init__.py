"""What every engine's index is given around it."""
