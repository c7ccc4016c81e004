"""The webhooks pool: delivers events to subscribers' endpoints."""
