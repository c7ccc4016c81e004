"""Bounded Liquid."""
