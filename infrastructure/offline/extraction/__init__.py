"""What the text says: amounts, dates, parties, defined terms, phrases."""
