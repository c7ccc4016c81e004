"""Celery: the doorbell's message, the transport that pops many at once, and the pool that runs coroutines."""
