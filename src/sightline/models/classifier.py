"""A network together with its preprocessing: uint8 pictures in, logits out."""

import torch
from torch import Tensor, nn

from sightline.types import PreprocessSpec


class Classifier(nn.Module):
    """Normalises and classifies.

    Args:
        network: from normalised pictures (B, C, H, W) to logits (B, num_outputs).
        preprocess: how pictures were prepared; its mean and std are applied here, so that the
            same model behaves the same wherever it is used.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, preprocess: PreprocessSpec) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess
        # Not in the state dict: the spec beside it holds them, and nothing is stated twice.
        shape = (1, preprocess.in_chans, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocess.mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(preprocess.std).view(shape), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, num_outputs) of uint8 pictures (B, C, H, W) in [0, 255]."""
        scaled = image.to(self.mean.dtype) / 255
        logits: Tensor = self.network((scaled - self.mean) / self.std)
        return logits
