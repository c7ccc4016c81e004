"""From a received doorbell to a claimed job: the pending jobs, the slots and the hold filter."""
