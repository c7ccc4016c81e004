"""Documents: accepting, reading, changing and removing them, in the tenant's role."""
