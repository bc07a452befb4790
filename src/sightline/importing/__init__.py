"""Predictions that were made elsewhere, as a run."""
