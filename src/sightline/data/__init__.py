"""Data sets: from files and arrays to batches."""
