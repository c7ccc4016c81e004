"""The text itself: its language, sentences and words."""
