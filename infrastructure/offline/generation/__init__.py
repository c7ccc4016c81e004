"""Writing documents from templates and facts."""
