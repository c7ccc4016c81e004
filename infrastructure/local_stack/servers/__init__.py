"""The embedded PostgreSQL and Redis."""
