"""Turns a plain function into a job handler: claims, leases, limits, retries and settles around it."""
