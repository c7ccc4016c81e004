"""Reads a document: its own facts, or what a schema asks for. `document.py` is the whole in steps."""
