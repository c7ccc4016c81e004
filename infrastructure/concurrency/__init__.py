"""How a process shares its time: batches of statements, child processes, the garbage collector."""
