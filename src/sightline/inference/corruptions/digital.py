"""Digital corruptions: contrast, elastic distortion, pixelation and compression."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2 import functional

from sightline.inference.corruptions.sampling import pixels, places, read_at
from sightline.inference.corruptions.textures import smooth_noise


def contrast(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Everything nearer to the image's mean."""
    share = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    mean = image.mean(dim=(2, 3), keepdim=True)
    return (image - mean) * share + mean


def elastic_transform(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Stretched a little as a whole, and in small waves.

    The three strongest are the paper's. Its two weaker ones move the whole image by more than
    those do, up to a fifth of its side; here they are weaker in both.
    """
    skew = (0.008, 0.015, 0.022, 0.022, 0.022)[severity - 1]  # of the side
    steep = (0.13, 0.23, 0.33, 0.47, 0.8)[severity - 1]  # how far waves move, over their width
    count, _, height, width = image.shape
    where = places(image)
    # Three corners of a square of two thirds of the side move, and the plane with them.
    first, second, third = 2 * skew * (2 * torch.rand(3, count, 1, 1, 2, generator=generator) - 1)
    right, down = (0.75 * where + 0.5).split(1, dim=-1)
    whole = first + right * (second - first) + down * (third - first)
    sigma = max(1.0, pixels(image, 2.44))
    waves = steep * sigma * smooth_noise((count, 2, height, width), sigma, generator)
    size = torch.tensor([width, height])
    # Not torchvision's `elastic`: it moves all images alike, and is black beyond their edges.
    return read_at(image, where + whole + 2 * waves.movedim(1, -1) / size)


def pixelate(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Fewer pixels, each the mean of what it covers."""
    share = (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1]
    rows, columns = (_boxes(side, max(1, int(share * side))) for side in image.shape[2:])
    return interpolate(rows @ image @ columns.T, size=image.shape[2:], mode="nearest-exact")


def _boxes(side: int, fewer: int) -> Tensor:
    """The share (F, S) that each of S pixels has in each of F: Pillow's box filter.

    A pixel belongs to the box that its centre is in; torch's `area` takes a pixel into several.
    """
    box = torch.ceil((torch.arange(side) + 0.5) * (fewer / side)).long() - 1
    member = (box == torch.arange(fewer)[:, None]).float()
    return member / member.sum(dim=1, keepdim=True)


def jpeg(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Strong compression."""
    quality = (25, 18, 15, 10, 7)[severity - 1]
    if image.shape[1] not in (1, 3):
        return torch.cat([jpeg(channel, severity, generator) for channel in image.split(1, 1)], 1)
    whole = (image * 255).round().to(torch.uint8)
    return torch.stack([functional.jpeg(each, quality) for each in whole]).float() / 255
