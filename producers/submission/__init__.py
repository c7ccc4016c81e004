"""Everything between a command and a committed, announced job."""
