"""How a tenant's indexes come, grow, are replaced and go."""
