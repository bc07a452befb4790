"""Class names and targets from the columns of a table."""
