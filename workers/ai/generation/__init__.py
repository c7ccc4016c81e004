"""Writes documents: fills templates, or has a model write from a prompt, a section at a time. Starts in `document.py`."""
