"""CifarResNet: the residual network for images of 32 pixels of He et al. 2016, section 4.2."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import UserError

Positive = Annotated[int, Field(gt=0)]


class Block(nn.Module):
    """Two convolutions 3×3 with batch normalisation, beside a shortcut without parameters.

    Args:
        inputs, outputs: channels; a shortcut has zeros for those that are new.
        stride: of the first convolution, and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.added = stride, outputs - inputs
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Maps (B, outputs, H / stride, W / stride) of maps (B, inputs, H, W)."""
        shortcut = image[:, :, :: self.stride, :: self.stride]
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, self.added))
        return functional.relu(self.layers(image) + shortcut)


class CifarResNet(nn.Module):
    """A convolution, three stages of blocks (each half as large as the one before), mean, head.

    Args:
        num_classes: outputs of the head.
        in_chans: channels of the input.
        depth: layers with weights: 20, 32, 44, 56 or 110 in the paper; 6 n + 2.
        width: channels of the first stage, 16 in the paper; then twice and four times as many.
    """

    def __init__(self, num_classes: int, in_chans: int, depth: Positive, width: Positive) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            near = 8 + 6 * max(0, round((depth - 8) / 6))
            raise UserError(f"model.depth={depth}: expected 6 n + 2 layers, such as {near}.")
        channels = width
        layers: list[nn.Module] = [
            nn.Conv2d(in_chans, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        ]  # fmt: skip
        for stage in range(3):
            for number in range((depth - 2) // 6):
                stride = 2 if stage > 0 and number == 0 else 1
                layers.append(Block(channels, width * 2**stage, stride))
                channels = width * 2**stage
        self.backbone = nn.Sequential(*layers)
        self.head = nn.Linear(channels, num_classes)
        for module in self.backbone.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, num_classes) of normalised images (B, in_chans, H, W)."""
        return self.forward_head(self.forward_features(image))

    def forward_features(self, image: Tensor) -> Tensor:
        """Maps of the last stage, (B, 4 · width, H / 4, W / 4)."""
        features: Tensor = self.backbone(image)
        return features

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, num_classes), or with `pre_logits` the head's input (B, 4 · width)."""
        pooled = features.mean(dim=(2, 3))
        return pooled if pre_logits else self.head(pooled)
