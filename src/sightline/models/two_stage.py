"""TwoStageCNN: the network of Sermanet and LeCun 2011, whose head sees both of its stages."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.types import ImgSize, as_size

Positive = Annotated[int, Field(gt=0)]
LEAST = 16  # pixels, so that the second stage has an output


class TwoStageCNN(nn.Module):
    """Two stages of (conv 5×5, ReLU, max-pool 2); the first's output, pooled once more, and the
    second's are flattened side by side, dense, ReLU, dropout, head.

    Args:
        num_classes: outputs of the head.
        in_chans: channels of the input.
        img_size: of the input in pixels; fixed by the dense layer.
        widths: channels of the two stages; 108 and 108 in the paper's best network.
        hidden: units of the dense layer.
        dropout: probability, before the head.
    """

    def __init__(
        self, num_classes: int, in_chans: int, img_size: ImgSize, widths: tuple[Positive, Positive],
        hidden: Positive, dropout: Annotated[float, Field(ge=0, lt=1)],
    ) -> None:  # fmt: skip
        super().__init__()
        size = as_size(img_size)
        if min(size) < LEAST:
            raise UserError(
                f"model.img_size: TwoStageCNN needs images of {LEAST} pixels or more, but they "
                f"have {min(size)}."
            )
        first, second = widths
        self.first = nn.Sequential(nn.Conv2d(in_chans, first, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.second = nn.Sequential(nn.Conv2d(first, second, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.again = nn.MaxPool2d(2)
        with torch.no_grad():
            seen = self.forward_features(torch.zeros(1, in_chans, *size)).shape[1]
        self.neck = nn.Sequential(nn.Linear(seen, hidden), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, num_classes) of normalised images (B, in_chans, *img_size)."""
        return self.forward_head(self.forward_features(image))

    def forward_features(self, image: Tensor) -> Tensor:
        """Flattened output of both stages."""
        first = self.first(image)
        return torch.cat([self.again(first).flatten(1), self.second(first).flatten(1)], dim=1)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, num_classes), or with `pre_logits` the head's input (B, hidden)."""
        hidden: Tensor = self.neck(features)
        return hidden if pre_logits else self.head(hidden)
