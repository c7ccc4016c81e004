"""Bodies that are too large to be held: read as they arrive, within bounds on size, time and number."""
