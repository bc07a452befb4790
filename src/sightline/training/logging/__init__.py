"""The log of a training: its start, epochs, results and report."""
