"""Events: the CloudEvents envelope, the event types and their registry."""
