"""Submission: from a command to a committed job row and its doorbell."""
