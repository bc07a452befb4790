"""Images of a data set of torch, read one at a time through its items."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from sightline.data.reading.arrays import image_from_array, raster_of_array
from sightline.data.reading.decode import PLAIN, Reading, naming
from sightline.data.reading.facts import ORDINARY, Facts, facts_of_raster
from sightline.data.reading.images import Images
from sightline.data.reading.opening import raster_of_bands
from sightline.data.reading.raster import ImageData
from sightline.types import PixelSpec


@dataclass(frozen=True)
class ItemImages(Images):
    """The images of items (image, target): Pillow's, arrays or tensors.

    Attributes:
        dataset: gives an item by its position.
    """

    dataset: Any

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """The image of the item at `index`."""
        with naming(self._name(index)):
            image = self.dataset[index][0]
            if not isinstance(image, Image.Image):
                return image_from_array(np.asarray(image), reading.pixels)
            image.load()
            chosen = reading.pixels.chooses
            return raster_of_bands(image).to_image(reading.pixels) if chosen else image

    def facts(self, index: int, pixels: PixelSpec) -> Facts:
        """Facts of the image at `index`."""
        with naming(self._name(index)):
            image = self.dataset[index][0]
            if isinstance(image, Image.Image):
                return ORDINARY
            return facts_of_raster(raster_of_array(np.asarray(image), pixels), pixels)

    def content(self, index: int) -> bytes:
        """The pixels, as the item has them."""
        with naming(self._name(index)):
            return np.asarray(self.dataset[index][0]).tobytes()

    def _name(self, index: int) -> str:
        return f"{index} of {type(self.dataset).__name__}"
