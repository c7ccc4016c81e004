"""Flower, the Celery dashboard: what it may hear, what its pages say, and its process."""
