"""Augmentations of training images beside those of torchvision and kornia."""
