"""Whether a process is alive, and the port that says so."""
