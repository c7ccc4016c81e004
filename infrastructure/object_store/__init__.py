"""The object store, for what is too large for a row: files, or an S3-compatible store; and the objects in it that are sealed."""
