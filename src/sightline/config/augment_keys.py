"""The keys of `augment`: what is done to training images."""

from typing import Literal

from pydantic import PositiveInt

from sightline.config.validation import Node, Strict


class AugmentConfig(Strict):
    """What is done to training images before they are normalised.

    transforms: torchvision v2, one image at a time, in the loader's processes.
    batch_transforms: the same for whole batches, on the device (kornia); null: no such form.
    """

    form: Literal["auto", "images", "batches"]
    geometry: Node | None
    frame_size: Literal["auto"] | PositiveInt | None
    repeats: PositiveInt
    transforms: list[Node]
    batch_transforms: list[Node] | None
