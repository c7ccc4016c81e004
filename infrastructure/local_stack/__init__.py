"""The local stack, everything on one machine: servers and processes, started, watched and stopped together."""
