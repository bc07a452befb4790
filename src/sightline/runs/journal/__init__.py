"""The journal of a run: records on disk, and how far they were uploaded."""
