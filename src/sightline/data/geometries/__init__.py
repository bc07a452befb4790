"""Geometries of training: how an image becomes the model's input, with random crops."""
