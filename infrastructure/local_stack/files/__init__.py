"""Where the local stack keeps its data, and who may read it."""
