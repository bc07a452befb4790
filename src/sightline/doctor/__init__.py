"""Checks of config, data, model, tracking store and machine before a training starts."""
