"""Answers searches from Elasticsearch: our query language compiled into its own, and its answers read back."""
