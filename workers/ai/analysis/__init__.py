"""Analyzes a text: what is measured in it, and what a model says of it. `content.py` is the whole in steps."""
