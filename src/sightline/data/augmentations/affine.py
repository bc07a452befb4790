"""Random affine transforms of one image, as kornia's form for batches has them."""

from typing import Any

import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import RandomAffine as TorchvisionRandomAffine
from torchvision.transforms.v2 import functional


class RandomAffine(TorchvisionRandomAffine):
    """torchvision's, by linear interpolation and with shifts that are no whole pixels.

    torchvision rounds shifts and takes the nearest pixel, so that on small images its transforms
    are others than kornia's. What lies beside the image is black in both; with torchvision's own
    fill of 0 the image's edge would be darkened twice.

    Args:
        degrees: turns, to either side.
        translate: shifts to the right and down, as shares of width and height, to either side.
        scale: least and greatest zoom.
    """

    def __init__(self, degrees: float, translate: list[float], scale: list[float]) -> None:
        method = InterpolationMode.BILINEAR
        super().__init__(degrees, translate, scale, interpolation=method, fill=None)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """torchvision's parameters, with a shift that is not rounded."""
        params = super().make_params(flat_inputs)
        assert self.translate is not None
        height, width = functional.get_size(flat_inputs[0])
        most = torch.tensor(self.translate) * torch.tensor([width, height])
        shift = (2 * torch.rand(2) - 1) * most
        return params | {"translate": shift.tolist()}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image, uint8 (C, H, W); Pillow's transform has other edges than a tensor's."""
        if isinstance(inpt, Image.Image):
            inpt = functional.pil_to_tensor(inpt)
        return super().transform(inpt, params)
