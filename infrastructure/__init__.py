"""Adapters to everything outside the process: one package per outside system, with its configuration."""
