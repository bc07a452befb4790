"""Metrics that every run has; each module lists its own in `METRICS`."""
