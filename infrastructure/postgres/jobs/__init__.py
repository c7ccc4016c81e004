"""A job's statements, from submission to retention."""
