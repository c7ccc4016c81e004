"""Webhooks: endpoints, deliveries, and what feeds them."""
