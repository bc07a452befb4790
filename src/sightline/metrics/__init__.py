"""Metrics: pure functions of a prediction table."""
