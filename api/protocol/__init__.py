"""Connections as uvicorn speaks them, bounded before a request is known."""
