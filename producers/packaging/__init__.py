"""What is made of the sources: the blocking client, and the client's own wheel. Nothing of it runs in production."""
