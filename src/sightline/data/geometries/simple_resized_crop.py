"""Simple random crop of DeiT III (Touvron et al. 2022), as timm has it."""

from sightline.data.geometries.base import Interpolation
from sightline.data.geometries.random_crop import RandomCrop


class SimpleResizedCrop(RandomCrop):
    """The shorter side resized to the input's, 4 pixels of reflection, and a random crop.

    Most of an image stays in it, unlike in a random resized crop.
    """

    def __init__(self, interpolation: Interpolation) -> None:
        super().__init__(4, "reflect", interpolation)
