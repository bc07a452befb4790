"""Random erasing (Zhong et al. 2020) by timm, in its three modes."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from timm.data.random_erasing import RandomErasing as TimmRandomErasing
from torch import Tensor

from sightline.data.augmentations.both_forms import InBothForms

Share = Annotated[float, Field(ge=0, le=1)]


class RandomErasing(InBothForms):
    """A rectangle of an image gets other pixels; timm's, which acts on normalised images.

    Values beyond black and white, which normal noise has, are cut.

    Args:
        p: probability, for an image.
        mode: const: the mean colour; rand: a random colour; pixel: a random colour for each pixel.
        min_area, max_area: least and greatest share of the image that is erased.
        count: rectangles in an image.
        mean, std: of each channel, in [0, 1], of the model's preprocessing.
    """

    def __init__(
        self, p: Share, mode: Literal["const", "rand", "pixel"], min_area: Share, max_area: Share,
        count: Annotated[int, Field(ge=1)], mean: list[float], std: list[float],
    ) -> None:  # fmt: skip
        super().__init__()
        self.mean, self.std = (torch.tensor(each).view(-1, 1, 1) for each in (mean, std))
        self.erase = TimmRandomErasing(
            p, min_area, max_area, mode=mode, min_count=count, device="cpu"
        )

    def augment(self, images: Tensor) -> Tensor:
        """Images in which rectangles are erased."""
        mean, std = self.mean.to(images), self.std.to(images)
        self.erase.device = str(images.device)
        erased: Tensor = self.erase((images - mean) / std)
        return (erased * std + mean).clamp(0, 1)
