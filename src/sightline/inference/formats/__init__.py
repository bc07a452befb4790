"""Files that other programs run a model from; one file a format."""
