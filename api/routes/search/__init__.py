"""Searches documents directly; indexing is a job."""
