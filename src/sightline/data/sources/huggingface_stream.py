"""Hugging Face data sets read in sequence, without storing train on this machine."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.data.reading.images import BytesImages
from sightline.data.reading.stream import Stream, StreamedSample
from sightline.data.source_data import SPLIT_WORDS, SourceData, Split, take
from sightline.errors import UserError


@dataclass(frozen=True)
class RowReader:
    """Reads the image and the label of a row.

    Attributes:
        image_column: holds {bytes, path}.
        label_column: holds a class number, or a list of them.
        class_names: in the order of the numbers.
        multi_label: whether the label mode takes any number of labels an image.
    """

    image_column: str
    label_column: str
    class_names: tuple[str, ...]
    multi_label: bool

    def sample(self, row: dict[str, Any], name: str) -> StreamedSample:
        """Its name, the image's file and the target."""
        image = row[self.image_column] or {}
        path, content = image.get("path"), image.get("bytes")
        if content is None and path:
            content = Path(path).read_bytes()
        if path:
            name = f"{name}/{Path(path).name}"
        return name, content or b"", self._target(row[self.label_column], name)

    def _target(self, value: Any, name: str) -> Any:
        numbers = value if isinstance(value, list) else [value]
        wrong = [n for n in numbers if not isinstance(n, int) or not 0 <= n < len(self.class_names)]
        if wrong or (not self.multi_label and len(numbers) != 1):
            raise UserError(f"{name}, column {self.label_column!r}: {value!r} is not a class.")
        if not self.multi_label:
            return numbers[0]
        target = np.zeros(len(self.class_names), np.int8)
        target[numbers] = 1
        return target


class HuggingFaceStream(Stream):
    """A `datasets.IterableDataset`, in shards and shuffled through a buffer."""

    def __init__(self, dataset: Any, rows: RowReader, samples: int, buffer: int) -> None:
        self.dataset = dataset
        self.rows = rows
        self.samples = samples
        self.buffer = buffer
        self.shards = int(dataset.num_shards)

    def read(self, part: int, parts: int, seed: int) -> Iterator[StreamedSample]:
        """See `Stream.read`."""
        for round_number in itertools.count():
            shuffled = self.dataset.shuffle(seed=seed + round_number, buffer_size=self.buffer)
            mine = shuffled.shard(num_shards=parts, index=part) if parts > 1 else shuffled
            for number, row in enumerate(mine):
                yield self.rows.sample(row, f"train/{part}/{number}")


def stream_source(
    loaded: Any, name: str, rows: RowReader, train_samples: int | None, buffer: int
) -> SourceData:
    """Train as a stream, val and test in memory.

    Args:
        loaded: an IterableDataset for each split; images are not decoded.
        name: of the data set, for messages.
        rows: reads them.
        train_samples: number in an epoch; None: as the data set says.
        buffer: samples that are shuffled among each other.
    """
    by_word = {SPLIT_WORDS.get(split.lower()): dataset for split, dataset in loaded.items()}
    missing = [word for word in ("train", "val", "test") if word not in by_word]
    if missing:
        raise UserError(
            f"data.name={name} has no split {missing[0]}, and what is read in sequence cannot be "
            "split; use data.streaming=false."
        )
    train = by_word["train"]
    stated = train.info.splits["train"].num_examples if train.info.splits else None
    samples = train_samples or stated
    if not samples:
        raise UserError(f"data.name={name} does not say how many samples train has; give "
                        "data.train_samples=N.")  # fmt: skip
    stream = HuggingFaceStream(train, rows, int(samples), buffer)
    splits = {word: _in_memory(by_word[word], word, rows) for word in ("val", "test")}
    short = name.rstrip("/").rsplit("/", 1)[-1]
    return SourceData(short, name, rows.class_names, splits, stream=stream)


def _in_memory(dataset: Any, word: str, rows: RowReader) -> Split:
    samples = [rows.sample(row, f"{word}/{number}") for number, row in enumerate(dataset)]
    ids = pa.array([name for name, _, _ in samples], pa.string())
    column = pa.chunked_array([pa.array([content], pa.binary()) for _, content, _ in samples])
    targets = np.array([target for _, _, target in samples])
    return take(ids, targets, BytesImages(column.combine_chunks(), ids))
