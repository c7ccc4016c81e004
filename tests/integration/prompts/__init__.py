"""Prompts: versions, labels, tests, and what jobs are pinned to."""
