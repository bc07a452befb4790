"""Data loaders over the splits: from cached images where there are any, else from the source."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sightline.config.schema import DataConfig
from sightline.data.cache.files import DecodedImages
from sightline.data.cache.images import CachedImages
from sightline.data.loading.augmentation import Augmentation
from sightline.data.loading.datasets import (
    Batch,
    CachedImageDataset,
    CachedReader,
    FileImageDataset,
    SourceReader,
)
from sightline.data.reading.transforms import ImageTransform
from sightline.data.reading.workers import start_worker, usable_cores
from sightline.data.source_data import Split
from sightline.types import PreprocessSpec


def as_it_is(batch: Any) -> Any:
    """The batch that a dataset gave: nothing to collate."""
    return batch


class SplitLoaders:
    """Makes a data loader over a split.

    Args:
        splits: train, val and test, their targets encoded by the label mode.
        cached_images: the decoded images.
        spec: the model's preprocessing.
        config: batch size and workers.
        seed: of the augmentation.
    """

    def __init__(
        self,
        splits: dict[str, Split],
        cached_images: CachedImages,
        spec: PreprocessSpec,
        config: DataConfig,
        seed: int,
    ) -> None:
        self.splits = splits
        self.cached_images = cached_images
        self.spec = spec
        self.config = config
        self.seed = seed
        self._tensors: list[tuple[DecodedImages, Tensor]] = []

    def loader(
        self,
        name: str,
        device: torch.device,
        augment: Augmentation | None = None,
        sampler: Sampler[Any] | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Batch]:
        """A loader over one split.

        Args:
            name: of the split.
            device: the training's, where images lie with cache=device.
            augment: of training images; None: for evaluation.
            sampler: the order; None: the split's own.
            drop_last: leave out a last batch that is not full.
        """
        split = self.splits[name]
        decoded = self.cached_images.decoded.get(name)
        in_tensor = decoded is not None and not (augment and augment.image_steps)
        dataset: Dataset[Batch]
        if decoded is not None and in_tensor:
            dataset = CachedImageDataset(split, self._tensor(decoded, device), decoded.sizes)
        else:
            frame = augment.frame if augment and augment.batched else None
            dataset = FileImageDataset(split, self._reader(name, augment), self.seed, frame)
        workers = self._workers(in_tensor, split)
        return DataLoader(
            dataset,
            batch_size=self.config.images_a_batch,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=start_worker,
            collate_fn=as_it_is if in_tensor else None,
            pin_memory=torch.cuda.is_available() and self.cached_images.mode != "device",
        )

    def _workers(self, in_tensor: bool, split: Split) -> int:
        if self.cached_images.mode == "device":
            return 0
        if self.config.num_workers != "auto":
            return self.config.num_workers
        return 0 if in_tensor or split.images.in_memory else usable_cores()

    def _tensor(self, decoded: DecodedImages, device: torch.device) -> Tensor:
        """Decoded images as a tensor, made once for splits that share them."""
        for known, tensor in self._tensors:
            if known is decoded:
                return tensor
        array = decoded.array
        if self.cached_images.mode == "device":
            array = np.array(array) if isinstance(array, np.memmap) else array
            tensor = torch.from_numpy(array).to(device)
        else:
            if isinstance(array, np.memmap) and array.filename is not None:
                # torch refuses read-only arrays; copy-on-write costs nothing without writes
                array = np.lib.format.open_memmap(array.filename, mode="c")
            tensor = torch.from_numpy(array)
        self._tensors.append((decoded, tensor))
        return tensor

    def _reader(self, name: str, augment: Augmentation | None) -> Callable[[int], Tensor]:
        """From a position in the split to a transformed image."""
        split, decoded = self.splits[name], self.cached_images.decoded.get(name)
        steps, frame = (augment.image_steps, augment.frame) if augment else ([], None)
        if decoded is not None:
            return CachedReader(split.rows, decoded, steps, not self.spec.pixels.names)
        return SourceReader(split, ImageTransform(self.spec, steps, frame))
