"""Envelope encryption: the vault's master key, the tenants' keys it wraps, and the cells those seal."""
