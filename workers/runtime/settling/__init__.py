"""Settlement: from a run's outcome to the job's next state."""
