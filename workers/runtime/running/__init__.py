"""One attempt at a job, and what it publishes while it runs."""
