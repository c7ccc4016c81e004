"""The workers: `runtime/` claims and settles jobs; one package per pool has the handlers."""
