"""One format for every log line, and what must never be in one."""
