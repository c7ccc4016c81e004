"""Tantivy, the embedded search engine: one index folder for each tenant, written by one process at a time."""
