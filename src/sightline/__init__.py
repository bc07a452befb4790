"""Sightline: an experiment-tracking research framework for image classification."""

from importlib.metadata import version

__version__ = version("sightline")
