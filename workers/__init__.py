"""The work: `runtime/` around it, one package for each pool."""
