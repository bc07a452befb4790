"""Searches with Optuna: spaces, trials, samplers and a summary."""
