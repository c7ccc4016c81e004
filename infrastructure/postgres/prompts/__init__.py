"""Tenants' prompts: versions, which are sealed and never change, labels, golden tests and which version jobs were written with."""
