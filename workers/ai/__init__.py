"""The AI pool: reads, writes and measures documents through a text provider."""
