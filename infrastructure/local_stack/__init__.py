"""Everything on one machine: servers and processes, started, watched and stopped together."""
