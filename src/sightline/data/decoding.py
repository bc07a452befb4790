"""Decoding every picture of a data set once, in parallel: to keep them, or to find bad ones."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sightline.data.images import Images
from sightline.data.pictures import Picture, UnreadablePicture

MAX_WORKERS = 8
BLOCK = 64
PARALLEL_FROM = 512  # pictures: fewer are decoded before worker processes have started

Failure = tuple[int, str]  # position in the images, and what is wrong


@dataclass(frozen=True)
class _Blocks(Dataset[list[Failure]]):
    """Item b decodes the b-th block of pictures, and returns those that cannot be."""

    images: Images
    transform: Callable[[Picture], Tensor]
    min_side: int
    out: np.ndarray | None

    def __len__(self) -> int:
        return -(-len(self.images) // BLOCK)

    def __getitem__(self, block: int) -> list[Failure]:
        failures = []
        for index in range(block * BLOCK, min((block + 1) * BLOCK, len(self.images))):
            try:
                picture = self.transform(self.images.read(index, self.min_side))
            except UnreadablePicture as error:
                failures.append((index, str(error)))
                continue
            if self.out is not None:
                self.out[index] = picture.numpy()
        return failures


def decode_all(
    images: Images,
    transform: Callable[[Picture], Tensor],
    min_side: int,
    out: np.ndarray | None,
    title: str,
) -> list[Failure]:
    """Read and transform every picture.

    Args:
        images: all are read.
        transform: to uint8 of shape (C, S, S).
        min_side: see `read_picture`.
        out: shape (N, C, S, S), filled where given; with worker processes it must be a mapped file.
        title: of the progress bar.

    Returns:
        What could not be read, in order.
    """
    blocks = _Blocks(images, transform, min_side, out)
    parallel = len(images) >= PARALLEL_FROM and not images.in_memory
    loader = DataLoader(
        blocks,
        batch_size=None,
        num_workers=usable_cores() if parallel else 0,
        worker_init_fn=leave_signals_to_the_main_process,
    )
    shown = track(loader, title, transient=True, disable=not sys.stdout.isatty())
    return [failure for failures in shown for failure in failures]


def usable_cores() -> int:
    """Processors this process may use, at most 8."""
    return min(len(os.sched_getaffinity(0)), MAX_WORKERS)


def leave_signals_to_the_main_process(worker_id: int) -> None:
    """Ctrl-C reaches the whole process group; workers that left would end the run as failed."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
