"""The samples that aren't plain text, and how they are made."""
