"""What the scenario `search` is made of."""
