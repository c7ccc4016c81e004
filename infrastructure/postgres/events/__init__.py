"""Reading events: feeds and consumer groups."""
