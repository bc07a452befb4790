"""The order of a stream: derived from seed and epoch, so that no two trainings share an epoch's."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from support.configs import data_config

from sightline.data.loading.stream_dataset import StreamDataset
from sightline.data.reading.stream import Stream, StreamedSample
from sightline.data.reading.transforms import ImageTransform
from sightline.types import PreprocessSpec


class Recorded(Stream):
    """Six grey images in a seeded order; it keeps the seeds that it was read with."""

    samples, shards = 6, 1

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def read(self, part: int, parts: int, seed: int) -> Iterator[StreamedSample]:
        self.seeds.append(seed)
        stream = io.BytesIO()
        Image.new("L", (4, 4)).save(stream, "PNG")
        for index in itertools.cycle(np.random.default_rng(seed).permutation(6)):
            yield f"{index}.png", stream.getvalue(), int(index)


def order(stream: Stream, seed: int, epoch: int) -> list[int]:
    transform = ImageTransform(PreprocessSpec(4, 1, (0.5,), (0.5,)))
    dataset = StreamDataset(stream, transform, torch.tensor, data_config(), seed, 0, 1)
    dataset.start_epoch(epoch)
    return [int(sample["target"]) for sample in dataset]


def test_each_seed_and_epoch_has_an_order_of_its_own() -> None:
    stream = Recorded()
    orders = {(s, e): order(stream, s, e) for s in range(4) for e in range(4)}
    assert len(set(stream.seeds)) == 16  # seed 0, epoch 1 is not seed 1, epoch 0
    assert all(sorted(each) == list(range(6)) for each in orders.values())
    assert order(stream, 2, 3) == orders[2, 3]
