"""SimpleCNN: a small convolutional network."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.types import ImgSize, as_size

Positive = Annotated[int, Field(gt=0)]


class SimpleCNN(nn.Module):
    """(conv, ReLU, max-pool 2) for each width, flatten, dense, ReLU, dropout, head.

    Args:
        num_classes: outputs of the head.
        in_chans: channels of the input.
        img_size: of the input in pixels; fixed by the dense layer.
        widths: channels of each convolution.
        hidden: units of the dense layer.
        dropout: probability, before the head.
        kernel_size: side of the convolutions in pixels, odd; padding keeps the size.
    """

    def __init__(
        self,
        num_classes: int,
        in_chans: int,
        img_size: ImgSize,
        widths: Annotated[Sequence[Positive], Field(min_length=1)],
        hidden: Positive,
        dropout: Annotated[float, Field(ge=0, lt=1)],
        kernel_size: Positive = 3,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise UserError(f"model.kernel_size={kernel_size}: expected an odd number of pixels.")
        height, width = (side // 2 ** len(widths) for side in as_size(img_size))
        if min(height, width) == 0:
            raise UserError(
                f"model.widths={list(widths)} halves the image {len(widths)} times, but it is "
                f"{min(as_size(img_size))} pixels wide; use fewer widths or a larger "
                "model.img_size."
            )
        layers: list[nn.Module] = []
        channels = in_chans
        for outputs in widths:
            conv = nn.Conv2d(channels, outputs, kernel_size, padding=kernel_size // 2)
            layers += [conv, nn.ReLU(), nn.MaxPool2d(2)]
            channels = outputs
        self.backbone = nn.Sequential(*layers, nn.Flatten())
        self.neck = nn.Sequential(
            nn.Linear(channels * height * width, hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, num_classes) of normalised images (B, in_chans, *img_size)."""
        return self.forward_head(self.forward_features(image))

    def forward_features(self, image: Tensor) -> Tensor:
        """Flattened output of the convolutions, (B, channels · height · width)."""
        features: Tensor = self.backbone(image)
        return features

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, num_classes), or with `pre_logits` the head's input (B, hidden)."""
        hidden: Tensor = self.neck(features)
        return hidden if pre_logits else self.head(hidden)
