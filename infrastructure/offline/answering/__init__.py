"""What the offline provider answers where a model is asked."""
