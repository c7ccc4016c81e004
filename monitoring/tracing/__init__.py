"""Traces: the ids that go through requests and jobs, and the spans that a collector gets when one is named."""
