"""Pure functions of a prediction table."""
