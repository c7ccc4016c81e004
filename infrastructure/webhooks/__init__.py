"""Sends webhooks to receivers. Neither their servers nor their addresses are trusted."""
