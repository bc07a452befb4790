"""Sightline: an experiment-tracking research framework for image classification."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.inference.load import LoadedModel, load

__version__ = version("sightline")
__all__ = ["LoadedModel", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import what is heavy only when it is asked for: the command line starts at once."""
    if name in ("LoadedModel", "load"):
        from sightline.inference import load as module

        return getattr(module, name)
    raise AttributeError(f"module 'sightline' has no attribute {name!r}")
