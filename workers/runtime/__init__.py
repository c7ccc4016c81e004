"""The worker runtime: claims, leases, time limits, retries and settlement around a plain handler function."""
