"""Webhook receivers: other people's servers, at addresses other people chose. Nothing here trusts either."""
