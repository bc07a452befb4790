"""Features of images in the cache folder: rows appended as they are computed, then sealed.

A file holds the features of some images of one collection by one backbone and pooling; its name is
a digest of these. Rows are kept where the command is killed, and the next one computes the rest.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock

from sightline.data.cache.entries import FEATURES, make_room
from sightline.errors import DamagedError
from sightline.inference.partial_table import PartialTable
from sightline.io.digests import file_digest
from sightline.io.sealed import read_sealed, write_sealed
from sightline.paths import image_cache_dir

CONTENT = "content"  # the digest of a complete file
FAILURES, SPEED = "failures", "images_per_s"


@dataclass(frozen=True)
class Stored:
    """Complete features.

    Attributes:
        values: shape (N, D), float32: a row for each image that could be read.
        failures: position and reason of each image that could not.
        images_per_s: of the forward pass that computed them.
    """

    values: np.ndarray
    failures: list[tuple[int, str]]
    images_per_s: float


def features_key(backbone: str, pooling: str, contents: np.ndarray, positions: np.ndarray) -> str:
    """The name of the file of features.

    Args:
        backbone: its digest.
        pooling: its name.
        contents: content digests of the images (N, 16).
        positions: of these images in their collection, to which failures refer.
    """
    digest = hashlib.blake2b(f"{backbone}\0{pooling}\0".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(contents).data)
    digest.update(np.ascontiguousarray(positions.astype(np.int64)).data)
    return digest.hexdigest()


class FeatureFile:
    """The file of features under one key.

    Args:
        key: of `features_key`.
        name: of backbone and data, for `sightline cache`.
    """

    def __init__(self, key: str, name: str) -> None:
        self.key = key
        self.name = name
        folder = image_cache_dir()
        self.path, self.about = folder / f"{key}{FEATURES}", folder / f"{key}.json"

    def load(self) -> Stored | None:
        """The features; None where they are not complete, or damaged."""
        if not (self.path.is_file() and self.about.is_file()):
            return None
        try:
            facts = read_sealed(self.about)
            if facts.get(CONTENT) is None or file_digest(self.path) != facts[CONTENT]:
                return None
            failures = [(int(place), str(why)) for place, why in facts[FAILURES]]
            with PartialTable(self.path, self._schema(int(facts["shape"][1])), True) as table:
                values = np.concatenate([_values(batch) for batch in table.batches()])
            os.utime(self.about)
            return Stored(values, failures, float(facts[SPEED]))
        except (DamagedError, LookupError, TypeError, ValueError, OSError):
            return None

    @contextmanager
    def growing(self, count: int, wide: int, max_gib: float) -> Iterator[PartialTable]:
        """The table of rows that are there, to be appended to; of a complete one that is damaged
        nothing is kept.

        Args:
            count: of the rows that there will be.
            wide: number of features.
            max_gib: limit of the cache folder; the least recently used files make room.

        Raises:
            UserError: there is no room.
        """
        if not self.path.is_file() or self.path.is_symlink() or self._is_sealed():
            self.path.unlink(missing_ok=True)
            make_room(count * wide * 4, max_gib, "the features")
        write_sealed(self.about, {"name": self.name, "shape": [count, wide]})
        with PartialTable(self.path, self._schema(wide), True) as table:
            yield table

    def seal(self, table: PartialTable, wide: int, failures: list[tuple[int, str]],
             images_per_s: float) -> None:  # fmt: skip
        """Mark the file as complete."""
        facts: dict[str, Any] = {
            "name": self.name, "shape": [table.rows, wide], FAILURES: failures,
            SPEED: images_per_s, CONTENT: file_digest(self.path),
        }  # fmt: skip
        write_sealed(self.about, facts)

    def lock(self) -> FileLock:
        """The lock of a process that computes them; others wait."""
        image_cache_dir().mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_suffix(".lock"))

    def _is_sealed(self) -> bool:
        try:
            return self.about.is_file() and CONTENT in read_sealed(self.about)
        except DamagedError:
            return True

    def _schema(self, wide: int) -> pa.Schema:
        column = pa.field("features", pa.list_(pa.float32(), wide))
        return pa.schema([column]).with_metadata({"key": self.key})


def as_batch(values: np.ndarray, table: PartialTable) -> pa.RecordBatch:
    """Features (B, D) as rows of a file."""
    flat = pa.array(np.ascontiguousarray(values, np.float32).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.RecordBatch.from_arrays([column], schema=table.schema)


def _values(batch: pa.RecordBatch) -> np.ndarray:
    column = batch.column("features")
    values: np.ndarray = column.flatten().to_numpy()
    return values.reshape(len(column), -1)
