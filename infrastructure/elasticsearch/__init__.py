"""Elasticsearch: a tenant's documents in indices of its own. The only place where its client is imported."""
