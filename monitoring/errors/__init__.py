"""Descriptions and fingerprints of failures, without the content that failed."""
