"""OpenAI, and every server that speaks as it does."""
