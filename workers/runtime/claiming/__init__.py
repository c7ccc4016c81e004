"""From a doorbell to a claimed job: what waits in this worker, and what may not run."""
