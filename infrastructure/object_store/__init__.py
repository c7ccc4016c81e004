"""Where results lie that are too large for a row: in files, or in an S3-compatible store."""
