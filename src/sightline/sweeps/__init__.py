"""Sweeps: jobs frozen at launch, each a process of its own, run until none is missing."""
