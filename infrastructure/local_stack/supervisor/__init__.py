"""Child processes that are watched, restarted and stopped."""
