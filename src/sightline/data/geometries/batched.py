"""Crops of whole batches in one operation on the device, with the pixels of Pillow's resizing."""

import torch
from torch import Tensor

from sightline.data.geometries.base import Crops, Padding
from sightline.types import Size

CUBIC = -0.5  # Pillow's and torch's coefficient of antialiased cubic interpolation


def cut_batch(images: Tensor, sizes: Tensor, crops: Crops, out: Size, padding: Padding) -> Tensor:
    """Images (B, C, *out), uint8, cut and resized as `cut_image` does.

    Resizing is one product by a matrix for each image and axis, whose rows are the weights of an
    output pixel: first along rows, then along columns, in whole grey levels between, as Pillow.

    Args:
        images: shape (B, C, H, W), uint8; each in the upper left corner.
        sizes: shape (B, 2), height and width of each image in it.
        crops: of these images.
        out: height and width of the results.
        padding: what lies beside an image.
    """
    device = images.device
    sizes, resized, boxes = (each.to(device) for each in (sizes, crops.resized, crops.boxes))
    cubic = crops.cubic.to(device)
    rows, columns = (
        _weights(sizes[:, axis], resized[:, axis], boxes[:, axis], boxes[:, axis + 2], cubic,
                 images.shape[axis + 2], out[axis], padding)
        for axis in (0, 1)
    )  # fmt: skip
    along = _levels(images.float() @ columns[:, None].transpose(2, 3))
    return _levels(rows[:, None] @ along).to(torch.uint8)


def _levels(values: Tensor) -> Tensor:
    return values.round_().clamp_(0, 255)


def _weights(
    size: Tensor, resized: Tensor, start: Tensor, length: Tensor, cubic: Tensor, inputs: int,
    outputs: int, padding: Padding,
) -> Tensor:  # fmt: skip
    """Weights (B, outputs, inputs) of the input's pixels in those of the output, along one axis.

    Args:
        size, resized: of the image before and after it is resized as a whole; shape (B,).
        start, length: of the box in the resized image; shape (B,).
        cubic: the filter; shape (B,).
        inputs: pixels of the tensor, at least `size`.
        outputs: pixels of the result.
        padding: what lies beside the image.
    """
    size, resized, start, length = (
        each.float()[:, None] for each in (size, resized, start, length)
    )
    zoom = size / resized  # pixels of the image in one of the resized image
    place = start + (torch.arange(outputs, device=size.device) + 0.5) * (length / outputs)
    inside = (place > 0) & (place < resized)
    if padding == "reflect":
        place, inside = _reflected(place, resized), torch.ones_like(inside)
    boxed = length != outputs  # the box is cut out before it is resized: nothing beside it counts
    low = torch.where(boxed, start, 0.0)[:, :, None]
    high = torch.where(boxed, start + length, size)[:, :, None]
    scale = torch.where(boxed, length / outputs, zoom).clamp(min=1)[:, :, None]
    pixels = torch.arange(inputs, device=size.device) + 0.5
    offset = (pixels - (place * zoom)[:, :, None]) / scale
    weights = torch.where(cubic[:, None, None], _cubic(offset.abs()), 1 - offset.abs())
    weights = torch.where(cubic[:, None, None], weights, weights.clamp(min=0))
    weights = weights * ((pixels > low) & (pixels < high)) * inside[:, :, None]
    return weights / weights.sum(2, keepdim=True).clamp(min=1e-6)


def _cubic(x: Tensor) -> Tensor:
    near = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _reflected(place: Tensor, size: Tensor) -> Tensor:
    """Centres of pixels outside an image at those that they reflect; the edge is not repeated."""
    place = torch.where(place < 0, 1 - place, place)
    return torch.where(place > size, 2 * size - 1 - place, place)
