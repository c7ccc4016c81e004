"""PostgreSQL, the truth: connections, statements, tables and their migrations."""
