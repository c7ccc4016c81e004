"""Batching, fair slots, child processes, run clocks, garbage collection."""
