"""How a kind of job is declared, found and loaded: `@job(...)` over a function, ours and those of other packages alike."""
