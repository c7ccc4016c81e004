"""What the AI pool reads, writes and measures offline."""
