"""Slurm, ranks, and the requeueing of a job."""
