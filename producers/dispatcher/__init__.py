"""Brings on what nobody else does: retries, schedules, fair turns, lost workers, webhooks, retention."""
