"""Everything outside the process: one room per outside system, with its adapter and its configuration."""
