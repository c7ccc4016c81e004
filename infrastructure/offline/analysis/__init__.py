"""How the text reads: risk, sentiment, readability, comparison, summary."""
