"""PostgreSQL, the source of truth: connections, statements, tables and their migrations."""
