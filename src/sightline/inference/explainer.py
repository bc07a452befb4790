"""SampleExplainer: images, features and Grad-CAM of evaluated samples by their ids."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sightline.data.reading.decode import Reading
from sightline.data.reading.raster import ImageData
from sightline.data.reading.transforms import ImageTransform
from sightline.data.source_data import Split
from sightline.label_modes.base import LabelMode
from sightline.models.classifier import Classifier
from sightline.models.grad_cam import grad_cam

BATCH = 64


class SampleExplainer:
    """Access to the images of a split and to the model that evaluated it.

    Args:
        split: the evaluated split.
        classifier: the evaluated model; it is moved to the device and set to evaluation mode.
        label_mode: meaning of its outputs.
        device: to compute on.
    """

    def __init__(
        self, split: Split, classifier: Classifier, label_mode: LabelMode, device: torch.device
    ) -> None:
        self.split = split
        self.classifier = classifier.eval().to(device)
        self.label_mode = label_mode
        self.device = device
        self._transform = ImageTransform(classifier.preprocess)

    def read_image(self, name: str) -> ImageData:
        """The image with this id as it lies in the source.

        Raises:
            UnreadableImage: it cannot be decoded.
        """
        pixels = self.classifier.preprocess.pixels
        return self.split.read(self._positions[name], Reading(pixels))

    def embed(self, names: Sequence[str]) -> np.ndarray:
        """Penultimate features (N, D), float32.

        Raises:
            UserError: the network has no timm-like methods for its features.
        """
        batches = [names[start : start + BATCH] for start in range(0, len(names), BATCH)]
        with torch.inference_mode():
            parts = [self.classifier.features(self._prepare(b)).float().cpu() for b in batches]
        return torch.cat(parts).numpy()

    def explain(self, names: Sequence[str], classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images (N, C, H, W) as the model sees them, uint8, and heat maps (N, H, W) in [0, 1].

        Args:
            names: N ids.
            classes: index of the explained class of each image, shape (N,).

        Raises:
            UserError: the model has no feature map.
        """
        images = self._prepare(names)
        wanted = torch.from_numpy(classes).to(self.device)
        heat = grad_cam(
            self.classifier, images, lambda logits: self.label_mode.evidence(logits, wanted)
        )
        return images.cpu().numpy(), heat.cpu().numpy()

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.split.ids.to_pylist())}

    def _prepare(self, names: Sequence[str]) -> Tensor:
        reading = self._transform.reading
        images = [self.split.read(self._positions[name], reading) for name in names]
        return torch.stack([self._transform(image) for image in images]).to(self.device)
