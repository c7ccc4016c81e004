"""The keys pool: changes the tenants' keys and moves what they seal."""
