"""`bucatini ai`: models, what they cost, and the keys that they are called with."""
