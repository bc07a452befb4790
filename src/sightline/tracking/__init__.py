"""The tracking of a run: its log, its upload, and MLflow."""
