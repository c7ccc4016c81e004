"""What the adapters of HTTP providers share: deadlines, event streams, rate headers, classes of errors, one call."""
