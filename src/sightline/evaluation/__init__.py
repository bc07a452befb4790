"""The evaluation of a stored model on its own splits or on other data."""
