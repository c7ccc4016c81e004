"""Redis: doorbells and pub/sub. Whatever is in it may be lost and is rebuilt from PostgreSQL."""
