"""Verifies tokens of the OpenID Connect provider that the settings name."""
