"""A tenant's index on disk: its generations, what is written into them, and how one takes the place of another."""
