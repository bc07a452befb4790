"""Comparisons of runs: leaderboards and tests, as pure functions of runs and their tables."""
