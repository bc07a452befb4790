"""One training, from config to finished run."""
