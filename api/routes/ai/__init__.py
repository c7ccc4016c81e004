"""What is asked about models: prompts, cost, keys, providers."""
