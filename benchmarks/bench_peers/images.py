"""The folder of JPEG files that all peers read: CIFAR-10, or generated where it is not there."""

import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.bench_peers.task import CLASSES, SIDE

Sample = tuple[bytes, int]


def write_images(cifar: Path, root: Path, counts: Mapping[str, int]) -> str:
    """So many images of each split as ROOT/SPLIT/CLASS/NUMBER.jpg; the name of the data.

    Args:
        cifar: folder with CIFAR-10's train.parquet.
        root: folder that is written.
        counts: of images, by split.
    """
    file = cifar / "train.parquet"
    real = file.is_file()
    samples = iter(_read(file, sum(counts.values())) if real else _draw())
    for split, images in counts.items():
        _write(islice(samples, images), root / split)
    return "CIFAR-10" if real else "generated images (CIFAR-10 was not there)"


def _write(samples: Iterable[Sample], folder: Path) -> None:
    for index in range(CLASSES):
        (folder / f"class{index}").mkdir(parents=True)
    for number, (data, target) in enumerate(samples):
        (folder / f"class{target}" / f"{number:05d}.jpg").write_bytes(data)


def _read(file: Path, rows: int) -> Iterator[Sample]:
    """The first images of the data set, whose rows are shuffled."""
    for row in pq.read_table(file).slice(0, rows).to_pylist():
        yield row["image"]["bytes"], row["label"]


def _draw() -> Iterator[Sample]:
    """Noise around a coarse pattern of each class: easy to learn, as slow to decode as CIFAR-10."""
    rng = np.random.default_rng(0)
    patterns = rng.uniform(60, 195, (CLASSES, 4, 4, 3))
    for number in count():
        target = number % CLASSES
        coarse = np.kron(patterns[target], np.ones((SIDE // 4, SIDE // 4, 1)))
        pixels = np.clip(coarse + rng.normal(0, 40, coarse.shape), 0, 255).astype(np.uint8)
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=75)
        yield data.getvalue(), target
