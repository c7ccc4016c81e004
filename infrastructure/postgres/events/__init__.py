"""Reading what happened: feeds and consumer groups."""
