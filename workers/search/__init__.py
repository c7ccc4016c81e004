"""The search pool: makes documents findable."""
