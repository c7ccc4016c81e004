"""Stored events for clients that are catching up, read once for all that are at nearby positions."""
