"""What prompts say."""
