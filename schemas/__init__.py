"""What may be said on the wire: commands, queries, results and problems. Nothing here imports anything of ours."""
