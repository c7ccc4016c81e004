"""The worker's heartbeat, and the watchdog that ends a stalled one."""
