"""`sightline evaluate`: a trained model on its own splits or on other data, told to its run."""
