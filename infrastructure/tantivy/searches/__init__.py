"""What an index answers: hits, facets, pages, marks, completions and spellings."""
