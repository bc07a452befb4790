"""Which runs are better, and whether that is shown: pure functions of runs and their tables."""
