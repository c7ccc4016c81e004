"""Questions about texts: what a model is asked, and an answer that keeps to the form it was asked for in."""
