"""The network under a name of timm's registry, for peers that take names alone."""

import sys
from typing import Any

from timm.models import register_model
from torch import Tensor, nn

from benchmarks.bench_peers.network import make_network
from benchmarks.bench_peers.task import HIDDEN, MEAN, SIDE, STD

NAME = "sightline_cnn"


class HeadlessNetwork(nn.Module):
    """The network up to its head, as timm gives it for num_classes=0."""

    def __init__(self) -> None:
        super().__init__()
        self.model, self.num_features = make_network(), HIDDEN
        self.model.head = nn.Identity()  # type: ignore[assignment]

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, HIDDEN)."""
        features: Tensor = self.model(image)
        return features


def sightline_cnn(pretrained: bool = False, num_classes: int = 0, **_: Any) -> nn.Module:
    """The network; 0 classes: without its head.

    Args:
        pretrained: there are no weights; has to be false.
        num_classes: outputs of the head.
    """
    assert not pretrained
    model = make_network(num_classes) if num_classes else HeadlessNetwork()
    model.default_cfg = {  # type: ignore[assignment]  # where timm looks for the input
        "input_size": (3, SIDE, SIDE), "mean": MEAN, "std": STD, "interpolation": "bilinear",
        "crop_pct": 1.0,
    }  # fmt: skip
    model.num_classes = num_classes  # type: ignore[assignment]
    return model


def register_network() -> None:
    """Make `timm.create_model(NAME)` give the network."""
    sys.modules[__name__].__dict__.setdefault("__all__", [])  # timm adds the name to it
    register_model(sightline_cnn)
