"""Worker processes that decode every image once, to cache the images or to find bad ones."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sightline.data.reading.decode import Reading, UnreadableImage
from sightline.data.reading.images import Images
from sightline.data.reading.raster import ImageData
from sightline.data.reading.transforms import ImageTransform

MAX_WORKERS = 8
BLOCK = 64
PARALLEL_FROM = 512  # images: fewer are decoded before worker processes have started

T = TypeVar("T")
Failure = tuple[int, str]  # position in the images, and the reason


@dataclass(frozen=True)
class Decoded:
    """What came of decoding images.

    Attributes:
        failures: the images that could not be read, in order.
        sizes: shape (N, 2), height and width of each image; 0 where it could not be read.
    """

    failures: list[Failure]
    sizes: np.ndarray


@dataclass(frozen=True)
class _Blocks(Dataset[list[T]]):
    """Item b is what `function` makes of the b-th block of images."""

    count: int
    function: Callable[[int], T]

    def __len__(self) -> int:
        return -(-self.count // BLOCK)

    def __getitem__(self, block: int) -> list[T]:
        start = block * BLOCK
        return [self.function(i) for i in range(start, min(start + BLOCK, self.count))]


def for_each_image(images: Images, function: Callable[[int], T], title: str) -> list[T]:
    """`function(index)` of every image, in order, in worker processes where there are many.

    Args:
        images: all of them.
        function: from a position to a small result.
        title: of the progress bar.
    """
    parallel = len(images) >= PARALLEL_FROM and not images.in_memory
    loader = DataLoader(
        _Blocks(len(images), function),
        batch_size=None,
        num_workers=usable_cores() if parallel else 0,
        worker_init_fn=start_worker,
        generator=torch.Generator(),  # the default would advance the global random state
    )
    shown = track(loader, title, transient=True, disable=not sys.stdout.isatty())
    return [result for results in shown for result in results]


def decode_all(
    images: Images,
    transform: Callable[[ImageData], Tensor],
    reading: Reading,
    out: np.ndarray | None,
    title: str,
) -> Decoded:
    """Read and transform every image.

    Args:
        images: all are read.
        transform: to uint8 of shape (C, h, w).
        reading: how they are read.
        out: shape (N, C, H, W), filled where given, from each image's corner; with worker processes
            it must be a mapped file.
        title: of the progress bar.
    """

    def decode(index: int) -> str | tuple[int, int]:
        try:
            tensor = transform(images.read(index, reading))
        except UnreadableImage as error:
            return str(error)
        height, width = tensor.shape[1:]
        if out is not None:
            out[index, :, :height, :width] = tensor.numpy()
        return height, width

    results = for_each_image(images, decode, title)
    failures = [(i, result) for i, result in enumerate(results) if isinstance(result, str)]
    sizes = [(0, 0) if isinstance(result, str) else result for result in results]
    return Decoded(failures, np.array(sizes, np.int64).reshape(-1, 2))


def check_all(images: Images, transform: ImageTransform, title: str) -> list[Failure]:
    """Read and transform every image, and keep none; those that could not be read, in order."""
    return decode_all(images, transform, transform.reading, None, title).failures


def usable_cores() -> int:
    """Processors this process may use, at most 8."""
    return min(len(os.sched_getaffinity(0)), MAX_WORKERS)


def _exit_on_parents_signal(parent: int) -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != parent:
        pass
    os._exit(0)


def start_worker(worker_id: int) -> None:
    """Initialise a loader process: signals and garbage collection."""
    # Ctrl-C reaches the whole process group, and Slurm's signals reach the whole job. A worker that
    # exits would make the run fail, so workers obey the process that started them alone.
    for signum in (signal.SIGINT, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # also in threads that start later
    threading.Thread(target=_exit_on_parents_signal, args=(os.getppid(),), daemon=True).start()
    # A full collection would touch, and so copy, every page that is shared with the main process.
    gc.freeze()
