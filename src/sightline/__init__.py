"""Sightline: an experiment-tracking research framework for image classification."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.inference.load import load
    from sightline.inference.model import LoadedModel

__version__ = "0.1.0"
__all__ = ["LoadedModel", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import heavy modules on first use, so that the command line starts at once."""
    if name == "load":
        from sightline.inference.load import load

        return load
    if name == "LoadedModel":
        from sightline.inference.model import LoadedModel

        return LoadedModel
    raise AttributeError(f"module 'sightline' has no attribute {name!r}")
