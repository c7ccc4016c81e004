"""Documents: how they come in, what is shown of them, and how they change."""
