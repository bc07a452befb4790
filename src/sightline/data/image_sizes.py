"""Sizes of a sample of images: the geometry and the side that suit them, and the words for both."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from sightline.data.reading.geometry import Geometry
from sightline.data.reading.raster import ImageData, size
from sightline.models.file_weights import percent
from sightline.types import PreprocessSpec

# Share of the pixels that a crop to the middle may leave out, on average; with more, the whole
# images are used.
NEARLY_SQUARE = 0.1
# Images whose aspects (width through height) differ by no more than this factor are all squashed
# alike; others keep their shapes. Between the 10th and the 90th percentile.
ALIKE = 1.5


@dataclass(frozen=True)
class ImageSizes:
    """Widths and heights of images, each of shape (N,), in pixels."""

    widths: np.ndarray
    heights: np.ndarray

    @classmethod
    def of(cls, images: Iterable[ImageData]) -> Self:
        """The sizes of images; at least one."""
        widths, heights = np.array([size(image) for image in images]).T
        return cls(widths, heights)

    def longer(self) -> np.ndarray:
        """The longer sides, shape (N,)."""
        return np.maximum(self.widths, self.heights)

    def suited_geometry(self) -> str:
        """crop for images that are nearly square, squash for others of like aspects, letterbox
        where aspects differ."""
        shorter = np.minimum(self.widths, self.heights)
        cut = 1 - shorter / self.longer()
        if cut.mean() <= NEARLY_SQUARE:
            return "crop"
        low, high = np.quantile(self.widths / self.heights, (0.1, 0.9))
        return "squash" if high / low <= ALIKE else "letterbox"

    def side(self, geometry: str) -> int:
        """The side at which a typical image keeps its pixels, in pixels; medians.

        Its shorter side where the rest is cut away, that of a square with as many pixels where it
        is squashed, its longer side where it is fitted into a square.
        """
        sides = {
            "crop": np.minimum(self.widths, self.heights),
            "squash": np.sqrt(self.widths * self.heights),
        }
        return int(np.median(sides.get(geometry, self.longer())))

    def unseen(self, spec: PreprocessSpec) -> float:
        """The share of all images' pixels that a model with this preprocessing never sees."""
        pairs, counts = np.unique(np.stack([self.heights, self.widths]), axis=1, return_counts=True)
        pixels = pairs.prod(axis=0) * counts
        geometry = Geometry(spec)
        shares = [geometry.unseen(int(height), int(width)) for height, width in pairs.T]
        return float(np.average(shares, weights=pixels))

    def describe(self, spec: PreprocessSpec) -> str:
        """What becomes of images that are not square, for the data line; empty where all are."""
        if (self.widths == self.heights).all():
            return ""
        typical = f"{np.median(self.widths):.0f}×{np.median(self.heights):.0f}"
        return f"images of {typical} (median) are {self.treatment(spec)}"

    def treatment(self, spec: PreprocessSpec) -> str:
        """What the preprocessing does to them, with the share of their pixels that is not seen."""
        to = "×".join(map(str, spec.size))
        words = {
            "squash": f"squashed to {to}",
            "pad": f"padded to {to} with {spec.background}",
            "letterbox": f"resized to fit {to}, on {spec.background}",
            "border": f"resized to fit {to}, on the mean colour",
        }
        unseen = self.unseen(spec)
        center = f"{'cropped' if unseen else 'resized'} to {to}"
        lost = f": {percent(unseen)} of their pixels are never seen" if unseen else ""
        return words.get(spec.crop_mode, center) + lost
