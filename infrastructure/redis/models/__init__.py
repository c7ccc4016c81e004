"""What all processes know together of models: breakers, limits and budgets, health."""
