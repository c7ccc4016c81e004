"""The wire models: commands, queries, results and problems. Imports nothing else from this repository."""
