"""The documents that search indexes are built from."""
