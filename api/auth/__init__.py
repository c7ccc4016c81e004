"""Authentication and authorization: API keys, read tokens, OIDC tokens, scopes."""
