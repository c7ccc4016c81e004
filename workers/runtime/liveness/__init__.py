"""How a worker proves that it lives, and notices when it doesn't."""
