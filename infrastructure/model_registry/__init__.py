"""What models there are, what each takes, and what it costs."""
