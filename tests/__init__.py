"""Behaviour a user would notice, shown on real servers and real processes."""
