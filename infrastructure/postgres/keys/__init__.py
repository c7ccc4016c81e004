"""The tenants' wrapped keys and their rotations."""
