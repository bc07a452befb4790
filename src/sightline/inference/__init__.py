"""A trained model, loaded from its checkpoint alone."""
