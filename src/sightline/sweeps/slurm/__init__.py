"""Sweeps on Slurm: submissions, job states and their end."""
