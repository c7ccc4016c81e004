"""Liveness and readiness, and the port that serves them."""
