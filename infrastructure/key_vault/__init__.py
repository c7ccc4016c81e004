"""Keys that never leave their vault, the tenants' keys they wrap, and the cells those seal."""
