"""Classifier: a network with its preprocessing, from uint8 images to logits."""

from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.models.file_weights import LoadedWeights
from sightline.models.head_cut import HeadCut
from sightline.types import PreprocessSpec


class Classifier(nn.Module):
    """A network that normalises its input.

    Args:
        network: from normalised images (B, C, H, W) to logits (B, num_outputs).
        preprocess: size, crop and normalisation; mean and std are applied here, so that training,
            evaluation and export normalise alike.

    Attributes:
        input_note: why images are resized to another size than the data's; None where they are
            not, or where the config gives the size.
        one_value: whether batch normalisation needs more than one image in a batch.
        cut: where the head can be given its inputs in place of images; None where it cannot.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, preprocess: PreprocessSpec) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess
        self.input_note: str | None = None
        self.one_value = False
        self.cut: HeadCut | None = None
        # Not in the state dict: the spec beside it in a checkpoint holds them.
        shape = (1, preprocess.in_chans, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocess.mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(preprocess.std).view(shape), persistent=False)

    @property
    def loaded_weights(self) -> LoadedWeights | None:
        """The record of weights that were loaded from a file; None where none were."""
        return getattr(self.network, "loaded_weights", None)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, num_outputs) of uint8 images (B, C, H, W), or of what the head is given.

        Raises:
            UserError: batch normalisation cannot train on a single image.
        """
        if self.training:
            self.check_batch(len(image))
        if self.cut is not None and image.shape[1:] == self.cut.shape:
            return self.cut.head(image)
        logits: Tensor = self.network(self.normalise(image))
        return logits

    def check_batch(self, size: int) -> None:
        """Check that a batch of so many images can be trained on.

        Raises:
            UserError: batch normalisation cannot train on a single image.
        """
        if self.one_value and size == 1:
            raise UserError(
                f"{type(self.network).__name__} cannot train on a batch of one image: its batch "
                "normalisation sees one value of each channel in it. Use a larger data.batch_size "
                "(or another one, where only the last batch of an epoch is one image)."
            )

    def features(self, image: Tensor) -> Tensor:
        """Penultimate features (B, D) of uint8 images (B, C, H, W).

        Raises:
            UserError: the network lacks timm's methods `forward_features` and `forward_head`.
        """
        network: Any = self.network
        if not all(hasattr(network, name) for name in ("forward_features", "forward_head")):
            raise UserError(
                f"The model {type(network).__name__} has no access to its penultimate features: it "
                "has no methods forward_features(image) and forward_head(features, pre_logits), "
                "as timm's models do. Add them to it."
            )
        features = network.forward_features(self.normalise(image))
        seen: Tensor = network.forward_head(features, pre_logits=True)
        return seen.flatten(1)

    def normalise(self, image: Tensor) -> Tensor:
        """Images as the network takes them, with the preprocessing's mean and deviation."""
        scaled = image.to(self.mean.dtype) / 255
        return (scaled - self.mean) / self.std
