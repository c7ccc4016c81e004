"""Liquid templates, with bounds on all that they can cost. The offline provider's documents and the prompts are filled here."""
