"""Workflow instances."""
