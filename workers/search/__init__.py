"""The search pool: stores and indexes documents."""
