"""Everything that calls MLflow."""
