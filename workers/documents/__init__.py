"""Documents: imports what was uploaded, and removes what was deleted. Its jobs run in the search pool."""
