"""A real Elasticsearch for the tests: found or fetched, started once for all of a run's processes, or as clusters of a
test's own."""
