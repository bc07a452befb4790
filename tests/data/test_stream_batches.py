"""Batches of samples that are read in sequence: the same sizes with any number of workers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import Sightline
from support.configs import data_config
from torch.utils.data import DataLoader

from sightline.data.loading.stream_dataset import StreamDataset
from sightline.data.reading.stream import Stream, StreamedSample
from sightline.data.reading.transforms import ImageTransform
from sightline.types import PreprocessSpec

SPEC = PreprocessSpec(8, 1, (0.5,), (0.5,), interpolation="bilinear", crop_pct=1.0)


class Counted(Stream):
    """Grey images; the target of each is the part that read it."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.shards = 4

    def read(self, part: int, parts: int, seed: int) -> Iterator[StreamedSample]:
        content = io.BytesIO()
        Image.new("L", (8, 8)).save(content, "PNG")
        return ((f"{part}-{number}", content.getvalue(), part) for number in count())


def batches(samples: int, size: int, workers: int, done: int = 0) -> list[torch.Tensor]:
    """The targets of each batch that is left after `done` batches."""
    config = data_config(batch_size=size)
    dataset = StreamDataset(Counted(samples), ImageTransform(SPEC), torch.tensor, config, 0, 0, 1)
    dataset.begin_at(0, done)
    loader = DataLoader(dataset, batch_size=size, num_workers=workers)
    found = [batch["target"] for batch in loader]
    assert done or len(loader) == len(found)
    return found


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("samples", "size", "expected"),
    [
        (32, 8, [8, 8, 8, 8]),
        (30, 8, [8, 8, 8, 6]),
        (33, 8, [8, 8, 8, 8]),  # one sample alone is left out
        (9, 8, [8]),
        (3, 1, [1, 1, 1]),
        (1, 8, [1]),
    ],
)
def test_only_the_last_batch_is_smaller_and_none_has_one_sample(
    samples: int, size: int, expected: list[int], workers: int
) -> None:
    found = batches(samples, size, workers)
    assert [len(each) for each in found] == expected
    if workers:
        for number, each in enumerate(found):
            assert (each == number % workers).all()
        rest = batches(samples, size, workers, done=1)
        assert [each.tolist() for each in rest] == [each.tolist() for each in found[1:]]


def test_batch_normalisation_of_one_value_is_refused_in_words(sightline: Sightline) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for name in ("train", "val", "test"):
        arrays[f"{name}_images"] = rng.integers(0, 255, (6, 4, 4), dtype=np.uint8)
        arrays[f"{name}_labels"] = np.arange(6) % 2
    np.savez("few.npz", **arrays)
    done = sightline(
        "train", "data=npz", "data.path=few.npz", "data.batch_size=1", "model=timm",
        "model.name=test_resnet", "model.img_size=8", "trainer=cpu",
    )  # fmt: skip
    assert done.status == 1
    assert "its batch normalisation sees one value of each channel" in done.err
    assert "Traceback" not in done.err
