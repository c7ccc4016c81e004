"""The keys pool: rotates tenants' keys and re-encrypts their rows."""
