"""Running: one attempt at a job, and what a worker publishes meanwhile."""
