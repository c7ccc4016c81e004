"""The object store for results too large for a row: files, or an S3-compatible store."""
