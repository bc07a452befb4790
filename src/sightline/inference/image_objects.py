"""Images given as Python objects: Pillow images, arrays, tensors, bytes of files, and paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from torch import Tensor

from sightline.data.reading.arrays import image_from_array
from sightline.data.reading.decode import PLAIN, Reading, finish, naming, read_image
from sightline.data.reading.images import Images
from sightline.data.reading.raster import ImageData
from sightline.errors import UserError, counted
from sightline.inference.inputs import Inputs, read_inputs

AnyImage = Image.Image | np.ndarray | Tensor | bytes | Path | str
NOT_PATHS = (Image.Image, np.ndarray, Tensor, bytes, bytearray)
SINGLE = 3  # dimensions at most of an array that is one image


@dataclass(frozen=True)
class ObjectImages(Images):
    """Images in memory, as a caller has them."""

    images: Sequence[Any]
    in_memory = True

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """The image at `index`."""
        return read_object(self.images[index], reading)

    def content(self, index: int) -> bytes:
        """Its pixels, or the bytes of its file."""
        image = self.images[index]
        if isinstance(image, (str, Path)):
            return Path(image).read_bytes()
        return (
            bytes(image) if isinstance(image, (bytes, bytearray)) else np.asarray(image).tobytes()
        )


def inputs_of(given: Any, **reading: Any) -> Inputs:
    """The images of objects or of paths.

    Args:
        given: one image, a sequence of images, an array or tensor of shape (N, ...) with a
            dimension more than an image; or what `read_inputs` takes. Of objects, ids are their
            positions.
        reading: further arguments of `read_inputs`, for paths.

    Raises:
        UserError: there are no images, or arguments for paths are given with objects.
    """
    images = given
    if isinstance(given, (np.ndarray, Tensor)):
        images = list(given) if given.ndim > SINGLE else [given]
    elif isinstance(given, NOT_PATHS):
        images = [given]
    if isinstance(images, (str, Path)) or not any(isinstance(each, NOT_PATHS) for each in images):
        return read_inputs(given, **reading)
    if reading:
        raise UserError(f"{', '.join(reading)}: for paths alone, and images are given as objects.")
    ids = pa.array([str(index) for index in range(len(images))], pa.string())
    paths = pa.array([str(i) if isinstance(i, (str, Path)) else None for i in images], pa.string())
    return Inputs(ids, paths, ObjectImages(images))


def read_object(image: Any, reading: Reading) -> ImageData:
    """One image of any of these kinds.

    Raises:
        UnreadableImage: it cannot be read, or is no image.
    """
    if isinstance(image, Image.Image):
        with naming("that was given"):
            return finish(image, reading)
    if isinstance(image, (np.ndarray, Tensor)):
        array = image.detach().cpu().numpy() if isinstance(image, Tensor) else image
        with naming(f"that was given, an array of shape {array.shape}"):
            return image_from_array(array, reading.pixels)
    if isinstance(image, (bytes, bytearray)):
        return read_image(bytes(image), f"of {counted(len(image), 'byte')}", reading)
    if isinstance(image, (str, Path)):
        return read_image(Path(image), str(image), reading)
    with naming("that was given"):
        raise TypeError(f"a {type(image).__name__}; expected an image, an array or a path")
