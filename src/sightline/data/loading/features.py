"""Loaders of a frozen backbone's features: the inputs of the head, computed once for each split."""

import logging
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from sightline.data.loading.augmentation import Augmentation
from sightline.data.loading.datasets import Batch, CachedImageDataset
from sightline.data.loading.loaders import SplitLoaders, as_it_is
from sightline.models.classifier import Classifier
from sightline.models.head_cut import head_inputs

log = logging.getLogger(__name__)


class FeatureLoaders:
    """Loaders whose batches hold the inputs of a classifier's head in place of images.

    Args:
        images: loaders of the images.
        classifier: with its cut before the head; its backbone is frozen.
        batch_size: samples in a batch.
    """

    def __init__(self, images: SplitLoaders, classifier: Classifier, batch_size: int) -> None:
        self.images = images
        self.classifier = classifier
        self.batch_size = batch_size
        self._features: dict[str, Tensor] = {}

    def loader(
        self,
        name: str,
        device: torch.device,
        augment: Augmentation | None = None,
        sampler: Sampler[Any] | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Batch]:
        """A loader over one split; see `SplitLoaders.loader`. Nothing may augment the images."""
        assert augment is None or not (augment.image_steps or augment.of_batches())
        if name not in self._features:
            self._features[name] = self._compute(name, device)
        split = self.images.splits[name]
        in_order = replace(split, rows=np.arange(len(split)))
        return DataLoader(
            CachedImageDataset(in_order, self._features[name]),
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            collate_fn=as_it_is,
        )

    def _compute(self, name: str, device: torch.device) -> Tensor:
        """The features of a split in its order."""
        began = time.monotonic()
        classifier, cut = self.classifier, self.classifier.cut
        assert cut is not None
        classifier.to(device)
        batches = self.images.loader(name, device)
        images = (classifier.normalise(batch["image"].to(device)) for batch in batches)
        found = head_inputs(classifier.network, cut.head, images)
        log.info("features: %s of %s, computed once in %.1f s", "×".join(map(str, found.shape)),
                 name, time.monotonic() - began)  # fmt: skip
        return found
