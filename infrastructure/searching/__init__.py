"""What happens between a search request and an engine: `answering` is where to begin. Knows ports and schemas only."""
