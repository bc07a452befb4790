"""The folder of a run: its lock, journal, frozen config and results."""
