"""Prompts: their versions, labels and tests."""
