"""Crops of single images by torchvision's functions: the form for the loader's processes."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from sightline.data.geometries.base import Crops, Padding, TrainingGeometry
from sightline.types import Size


class CropImage:
    """A training geometry for one image at a time, sampled at each call.

    Args:
        geometry: samples the crop.
        out: height and width of the model's input.
    """

    def __init__(self, geometry: TrainingGeometry, out: Size) -> None:
        self.geometry = geometry
        self.out = out

    def __call__(self, image: Image.Image | Tensor) -> Image.Image | Tensor:
        """The image at the input's size."""
        sizes = torch.tensor([functional.get_size(image)])
        return cut_image(image, self.geometry.sample(sizes, self.out), self.out,
                         self.geometry.padding)  # fmt: skip


def cut_image(
    image: Image.Image | Tensor, crops: Crops, out: Size, padding: Padding
) -> Image.Image | Tensor:
    """One image, cut by the only one of `crops`.

    By torch's resizing of tensors, which the batched form equals to two grey levels. Pillow's
    differs where cubic interpolation overshoots: it cuts between two passes, whose order varies.

    Args:
        image: Pillow's, or uint8 (C, H, W).
        crops: of one image.
        out: height and width of the result.
        padding: what lies beside the image.
    """
    method = InterpolationMode.BICUBIC if crops.cubic[0] else InterpolationMode.BILINEAR
    height, width = crops.resized[0].tolist()
    top, left, down, along = crops.boxes[0].tolist()
    cut: Any = image if isinstance(image, Tensor) else functional.pil_to_tensor(image)
    if functional.get_size(cut) != [height, width]:
        cut = functional.resize(cut, [height, width], method)
    edges = [max(0, -left), max(0, -top), max(0, left + along - width), max(0, top + down - height)]
    if any(edges):
        cut = functional.pad(cut, edges, padding_mode=padding)
    place = [top + edges[1], left + edges[0], down, along]
    cut = functional.resized_crop(cut, *place, list(out), method)
    return cut if isinstance(image, Tensor) else functional.to_pil_image(cut, image.mode)
