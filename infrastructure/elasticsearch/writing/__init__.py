"""Writes documents to Elasticsearch: many changes share a request, and each is made exactly once."""
