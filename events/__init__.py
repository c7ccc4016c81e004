"""What has happened: one CloudEvents envelope, past-tense types and their catalogue."""
