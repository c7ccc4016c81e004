"""`bucatini search`: its commands, a file each."""
