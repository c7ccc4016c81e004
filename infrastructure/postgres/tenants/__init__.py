"""What belongs to a tenant itself: its API keys and its limits."""
