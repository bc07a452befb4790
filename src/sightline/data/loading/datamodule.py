"""Batches for training and evaluation."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms.v2 import Transform

from sightline.config.schema import DataConfig
from sightline.data.cache.images import CachedImages
from sightline.data.loading.augmentation import BatchAugmentation, mix_batch
from sightline.data.loading.datasets import (
    Batch,
    CachedImageDataset,
    CachedReader,
    FileImageDataset,
    SourceReader,
)
from sightline.data.loading.rng import seed_step
from sightline.data.loading.sampler import EpochSampler
from sightline.data.loading.stream import Stream, StreamDataset
from sightline.data.loading.transforms import ImageTransform
from sightline.data.reading.workers import start_worker, usable_cores
from sightline.data.source import Split
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.types import PreprocessSpec


def _as_it_is(batch: Any) -> Any:
    return batch


class ImageDataModule(LightningDataModule):
    """Loaders over the splits of one data set.

    Args:
        splits: train, val and test, their targets encoded by the label mode.
        images: where decoded images are kept.
        spec: the model's preprocessing.
        augmentations: one image at a time, for training.
        batch_augmentations: the same for whole batches, used where images are on the device.
        mix: mixes images and targets of a training batch, or None.
        label_mode: weighs classes and mixes targets.
        config: batch size, workers, sampler.
        seed: governs the order of the training samples, and all that is drawn for them.
        stream: the training samples, where they come in sequence.
    """

    def __init__(
        self,
        splits: dict[str, Split],
        cached_images: CachedImages,
        spec: PreprocessSpec,
        augmentations: Sequence[Transform],
        batch_augmentations: Sequence[nn.Module],
        mix: nn.Module | None,
        label_mode: LabelMode,
        config: DataConfig,
        seed: int,
        stream: Stream | None = None,
    ) -> None:
        super().__init__()
        self.splits = splits
        self.cached_images = cached_images
        self.spec = spec
        self.augmentations = augmentations
        on_device = cached_images.mode == "device" and batch_augmentations
        self.batch_augmentation = BatchAugmentation(batch_augmentations) if on_device else None
        self.mix = mix
        self.label_mode = label_mode
        self.config = config
        self.seed = seed
        self.stream = stream
        self._tensors: dict[int, Tensor] = {}
        self._begun = {"epoch": 0, "batches": 0}
        self._streamed: StreamDataset | None = None

    @property
    def _rank_of_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def state_dict(self) -> dict[str, int]:
        """Where training stands: the epoch, and how many of its batches are done."""
        assert self.trainer is not None
        loop = self.trainer.fit_loop
        epochs: Any = loop.epoch_progress.current
        within = epochs.started > epochs.processed
        batches = loop.epoch_loop.batch_progress.current.completed if within else 0
        return {"epoch": epochs.processed, "batches": batches}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from where a training stood."""
        self._begun = state_dict

    def start_epoch(self, epoch: int) -> None:
        """Tell a stream which epoch it reads next; other loaders hear it by their sampler."""
        if self._streamed is not None:
            self._streamed.start_epoch(epoch)

    def train_dataloader(self) -> DataLoader[Batch]:
        """All training samples in a new order each epoch.

        A last batch of a single sample is left out: batch normalisation cannot learn from it.
        """
        if self.stream is not None:
            return self._stream_loader(self.stream)
        split = self.splits["train"]
        size = self.config.batch_size
        augmentations = () if self.cached_images.mode == "device" else self.augmentations
        weights = None
        if self.config.sampler == "balanced":
            weights = torch.from_numpy(self.label_mode.sampling_weights(split.targets))
        sampler = EpochSampler(split, self.seed, weights, *self._rank_of_world)
        sampler.begin_at(self._begun["epoch"], self._begun["batches"] * size)
        lone = size > 1 and len(sampler) % size == 1
        return self._loader(split, augmentations, sampler=sampler, drop_last=lone)

    def _stream_loader(self, stream: Stream) -> DataLoader[Batch]:
        if self.config.sampler == "balanced":
            raise UserError("data.sampler=balanced: a stream is read in its own order.")
        rank, world = self._rank_of_world
        if stream.shards < world:
            raise UserError(f"data.train: {stream.shards} shards cannot feed {world} processes.")
        wanted = self.config.num_workers
        workers = min(usable_cores() if wanted == "auto" else wanted, stream.shards // world)
        augmentations = () if self.batch_augmentation is not None else self.augmentations
        transform = ImageTransform(self.spec, augmentations)
        dataset = StreamDataset(
            stream, transform, self._encode, self.config, self.seed, rank, world
        )
        dataset.begin_at(**self._begun)
        self._streamed = dataset
        return DataLoader(
            dataset,
            batch_size=self.config.batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=start_worker,
            pin_memory=torch.cuda.is_available(),
        )

    def _encode(self, target: Any) -> Tensor:
        return torch.from_numpy(self.label_mode.encode(np.asarray([target])))[0]

    def val_dataloader(self) -> DataLoader[Batch]:
        """Every validation sample once."""
        return self._loader(self.splits["val"], ())

    def test_dataloader(self) -> DataLoader[Batch]:
        """Every test sample once."""
        return self._loader(self.splits["test"], ())

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment and mix training batches on the device, with what is drawn for this step."""
        if self.trainer is None or not self.trainer.training:
            return batch
        trainer = self.trainer
        number = trainer.fit_loop.batch_idx + 1
        device = batch["image"].device
        seed_step(self.seed, trainer.current_epoch, number, trainer.global_rank, device)
        if self.batch_augmentation is not None:
            batch["image"] = self.batch_augmentation(batch["image"])
        if self.mix is not None:
            batch["image"], batch["target"] = mix_batch(
                self.mix, self.label_mode, batch["image"], batch["target"]
            )
        return batch

    def _loader(
        self,
        split: Split,
        augmentations: Sequence[Transform],
        sampler: Sampler[Any] | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Batch]:
        ready = bool(self.cached_images.kept) and not augmentations
        dataset: Dataset[Batch]
        if ready:
            dataset = CachedImageDataset(split, self._tensor(split))
        else:
            dataset = FileImageDataset(split, self._reader(split, augmentations), self.seed)
        workers = self._workers(ready, split)
        return DataLoader(
            dataset,
            batch_size=self.config.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=start_worker,
            collate_fn=_as_it_is if ready else None,
            pin_memory=torch.cuda.is_available() and self.cached_images.mode != "device",
        )

    def _workers(self, ready: bool, split: Split) -> int:
        if self.cached_images.mode == "device":
            return 0
        if self.config.num_workers != "auto":
            return self.config.num_workers
        return 0 if ready or split.images.in_memory else usable_cores()

    def _tensor(self, split: Split) -> Tensor:
        """The kept images of a split, on the training device where they are to be there."""
        key = id(split.images)
        if key not in self._tensors:
            array = self.cached_images.kept[key].array
            mapped = isinstance(array, np.memmap)
            device = torch.device("cpu")
            if self.cached_images.mode == "device":
                array = np.array(array) if mapped else array
                if self.trainer is not None:
                    device = self.trainer.strategy.root_device
            elif (
                isinstance(array, np.memmap) and array.filename is not None
            ):  # a read-only map, which only indexing is done on
                array = np.lib.format.open_memmap(array.filename, mode="c")
            self._tensors[key] = torch.from_numpy(array).to(device)
        return self._tensors[key]

    def _reader(self, split: Split, augmentations: Sequence[Transform]) -> Callable[[int], Tensor]:
        """From a position in the split to a transformed image."""
        if self.cached_images.kept:
            return CachedReader(
                split.rows, self.cached_images.kept[id(split.images)].array, augmentations
            )
        return SourceReader(split, ImageTransform(self.spec, augmentations))
