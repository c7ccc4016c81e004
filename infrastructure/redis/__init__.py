"""Redis, the doorbell and the loudspeaker: whatever is in it can be lost and is rebuilt from PostgreSQL."""
