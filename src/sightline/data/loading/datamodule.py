"""LightningDataModule over the splits of one data set."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from sightline.config.schema import DataConfig
from sightline.data.cache.images import CachedImages
from sightline.data.loading.augmentation import Augmentation, mix_batch
from sightline.data.loading.datasets import Batch
from sightline.data.loading.features import FeatureLoaders
from sightline.data.loading.loaders import SplitLoaders
from sightline.data.loading.rng import seed_step
from sightline.data.loading.sampler import EpochSampler, is_lone
from sightline.data.loading.stream_dataset import StreamDataset
from sightline.data.reading.stream import Stream
from sightline.data.reading.transforms import ImageTransform
from sightline.data.reading.workers import start_worker, usable_cores
from sightline.data.source_data import Split
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.models.classifier import Classifier
from sightline.types import PreprocessSpec


class ImageDataModule(LightningDataModule):
    """Loaders over the splits of one data set.

    Args:
        splits: train, val and test, their targets encoded by the label mode.
        cached_images: the decoded images.
        spec: the model's preprocessing.
        augment: what is done to training images.
        label_mode: weighs classes and mixes targets.
        config: batch size, workers, sampler.
        seed: of the order of the training samples, of augmentation, mixing and dropout.
        progress_in: gives the epoch of a training, and the number of its completed batches.
        stream: the training samples, where they are read in sequence.
    """

    def __init__(
        self,
        splits: dict[str, Split],
        cached_images: CachedImages,
        spec: PreprocessSpec,
        augment: Augmentation,
        label_mode: LabelMode,
        config: DataConfig,
        seed: int,
        progress_in: Callable[[Trainer], dict[str, int]],
        stream: Stream | None = None,
    ) -> None:
        super().__init__()
        self.splits = splits
        self.cached_images = cached_images
        self.spec = spec
        self.augment = augment
        self.batch_augmentation = augment.of_batches()
        self.label_mode = label_mode
        self.config = config
        self.seed = seed
        self.progress_in = progress_in
        self.stream = stream
        self._loaders: SplitLoaders | FeatureLoaders = SplitLoaders(
            splits, cached_images, spec, config, seed
        )
        self._progress = {"epoch": 0, "batches": 0}
        self._stream_dataset: StreamDataset | None = None

    def use_features(self, classifier: Classifier) -> None:
        """Let batches hold the inputs of this classifier's head in place of images."""
        assert isinstance(self._loaders, SplitLoaders)
        self._loaders = FeatureLoaders(self._loaders, classifier, self.config.images_a_batch)

    @property
    def _rank_and_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    @property
    def _training_device(self) -> torch.device:
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    def state_dict(self) -> dict[str, int]:
        """The progress of the training: the epoch, and the number of its completed batches."""
        assert self.trainer is not None
        return self.progress_in(self.trainer)

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Resume from the progress of an earlier training."""
        self._progress = state_dict

    def start_epoch(self, epoch: int) -> None:
        """Set the epoch that a stream reads next; Lightning sets that of the samplers."""
        if self._stream_dataset is not None:
            self._stream_dataset.start_epoch(epoch)

    def train_dataloader(self) -> DataLoader[Batch]:
        """All training samples in a new order each epoch.

        A last batch of a single sample is left out: batch normalisation cannot learn from it.
        """
        if self.stream is not None:
            return self._stream_loader(self.stream)
        split = self.splits["train"]
        size = self.config.images_a_batch
        weights = None
        if self.config.sampler == "balanced":
            weights = torch.from_numpy(self.label_mode.sampling_weights(split.targets))
        sampler = EpochSampler(
            split, self.seed, weights, *self._rank_and_world, repeats=self.augment.repeats
        )
        sampler.begin_at(self._progress["epoch"], self._progress["batches"] * size)
        lone = is_lone(len(sampler), size)
        return self._loaders.loader(
            "train", self._training_device, self.augment, sampler, drop_last=lone
        )

    def _stream_loader(self, stream: Stream) -> DataLoader[Batch]:
        if self.config.sampler == "balanced":
            raise UserError("data.sampler=balanced: a stream is read in its own order.")
        if self.augment.repeats > 1:
            raise UserError(
                f"augment.repeats={self.augment.repeats}: a stream is read in its own order, once."
            )
        rank, world = self._rank_and_world
        if stream.shards < world:
            raise UserError(f"data.train: {stream.shards} shards cannot feed {world} processes.")
        wanted = self.config.num_workers
        workers = min(usable_cores() if wanted == "auto" else wanted, stream.shards // world)
        frame = self.augment.frame
        transform = ImageTransform(self.spec, self.augment.image_steps, frame)
        dataset = StreamDataset(
            stream, transform, self._encode, self.config, self.seed, rank, world,
            frame if self.augment.batched else None,
        )  # fmt: skip
        dataset.begin_at(**self._progress)
        self._stream_dataset = dataset
        return DataLoader(
            dataset,
            batch_size=self.config.images_a_batch,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=start_worker,
            pin_memory=torch.cuda.is_available(),
        )

    def _encode(self, target: Any) -> Tensor:
        return torch.from_numpy(self.label_mode.encode(np.asarray([target])))[0]

    def train_images(self, device: torch.device) -> DataLoader[Batch]:
        """Every training sample once, as in an evaluation: neither shuffled nor augmented."""
        return self._loaders.loader("train", device)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Every validation sample once."""
        return self._loaders.loader("val", self._training_device)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Every test sample once."""
        return self._loaders.loader("test", self._training_device)

    def augmented(self, batch: Batch, epoch: int) -> Batch:
        """A loaded training batch as the model gets it in an epoch, but for mixing."""
        size = batch.pop("size", None)
        if self.batch_augmentation is not None:
            batch["image"] = self.batch_augmentation(batch["image"], size)
        if self.augment.sizes is not None:
            batch["image"] = self.augment.sizes.resized(batch["image"], epoch)
        return batch

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment and mix training batches on the device, seeded by this step."""
        if self.trainer is None or not self.trainer.training:
            return batch
        trainer = self.trainer
        number = trainer.fit_loop.batch_idx + 1
        device = batch["image"].device
        seed_step(self.seed, trainer.current_epoch, number, trainer.global_rank, device)
        batch = self.augmented(batch, trainer.current_epoch)
        mix = self.augment.mix
        if mix is not None and self.augment.mixes(trainer.current_epoch):
            batch["image"], batch["target"] = mix_batch(
                mix, self.label_mode, batch["image"], batch["target"]
            )
        return batch
