"""The folder of images by torchvision, for peers that leave the loader to their user."""

from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benchmarks.bench_peers.task import BATCH, FLIP, MEAN, STD, Task


def make_steps(split: str) -> v2.Compose:
    """From an image of Pillow to a tensor (3, SIDE, SIDE), for train with flips."""
    flip = [v2.RandomHorizontalFlip(FLIP)] if split == "train" else []
    convert = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    return v2.Compose([*flip, *convert])


def make_loader(task: Task, split: str) -> DataLoader[tuple[torch.Tensor, int]]:
    """What PyTorch's own guide recommends: workers that stay, pinned memory for a GPU."""
    folder = ImageFolder(str(Path(task.images) / split), make_steps(split))
    return DataLoader(
        folder, BATCH, shuffle=split == "train", num_workers=task.workers,
        persistent_workers=task.workers > 0, pin_memory=torch.cuda.is_available(),
    )  # fmt: skip
