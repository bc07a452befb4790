"""Batches for training and evaluation."""

import os
import signal
from collections.abc import Callable
from typing import TypedDict

import numpy as np
import torch
from PIL import Image
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sightline.config import LoaderConfig
from sightline.data.source import Split

MAX_WORKERS = 8


class Batch(TypedDict):
    """One batch.

    image: (B, C, H, W), uint8; target: (B,) or (B, L), int64; index: (B,), position in the split.
    """

    image: Tensor
    target: Tensor
    index: Tensor


class ImageDataset(Dataset[Batch]):
    """A split whose pictures are transformed when they are read."""

    def __init__(self, split: Split, transform: Callable[[Image.Image], Tensor]) -> None:
        self.split = split
        self.transform = transform
        self.targets = torch.from_numpy(np.ascontiguousarray(split.targets))

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Batch:
        image = self.transform(self.split.images[index])
        return {"image": image, "target": self.targets[index], "index": torch.tensor(index)}


def _leave_signals_to_the_main_process(worker_id: int) -> None:
    """Ctrl-C reaches the whole process group; workers that left would end the run as failed."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)


class ImageDataModule(LightningDataModule):
    """Loaders over the splits of one data set.

    Args:
        splits: train, val and test, their targets encoded by the label mode.
        train_transform: with augmentation.
        eval_transform: without.
        loader: batch size and workers.
        seed: governs the order of the training samples.
    """

    def __init__(
        self,
        splits: dict[str, Split],
        train_transform: Callable[[Image.Image], Tensor],
        eval_transform: Callable[[Image.Image], Tensor],
        loader: LoaderConfig,
        seed: int,
    ) -> None:
        super().__init__()
        self.splits = splits
        self.train_transform = train_transform
        self.eval_transform = eval_transform
        self.batch_size = loader.batch_size
        self.num_workers = self._workers(loader)
        self.seed = seed

    def _workers(self, loader: LoaderConfig) -> int:
        if loader.num_workers != "auto":
            return loader.num_workers
        if self.splits["train"].images.in_memory:
            return 0
        return min(len(os.sched_getaffinity(0)), MAX_WORKERS)

    def train_dataloader(self) -> DataLoader[Batch]:
        """All training samples in a new order each epoch.

        A last batch of a single sample is left out: batch normalisation cannot learn from it.
        """
        dataset = ImageDataset(self.splits["train"], self.train_transform)
        lone = self.batch_size > 1 and len(dataset) % self.batch_size == 1
        generator = torch.Generator().manual_seed(self.seed)
        return self._loader(dataset, shuffle=True, generator=generator, drop_last=lone)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Every validation sample once."""
        return self._loader(ImageDataset(self.splits["val"], self.eval_transform))

    def test_dataloader(self) -> DataLoader[Batch]:
        """Every test sample once."""
        return self._loader(ImageDataset(self.splits["test"], self.eval_transform))

    def _loader(
        self,
        dataset: ImageDataset,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            generator=generator,
            drop_last=drop_last,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            worker_init_fn=_leave_signals_to_the_main_process,
            pin_memory=torch.cuda.is_available(),
        )
