"""The dispatcher: due retries, schedules, fair scheduling, lost workers, webhook feeds and retention."""
