"""The operator's work on tenants, and what a tenant sees of its own quotas."""
