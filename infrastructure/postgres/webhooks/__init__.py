"""Webhooks: endpoints, deliveries, and the feeder."""
