"""Independent units of a table: its groups (patients, videos), or its samples where it has none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from sightline.errors import counted
from sightline.predictions import Predictions

BLOCKS = 200  # at most so many parts are left out in turn


@dataclass(frozen=True)
class Units:
    """What intervals take as independent of each other.

    Attributes:
        codes: the unit of each sample, shape (N,), from 0 on.
        count: of the units.
        grouped: whether they are groups of samples.
    """

    codes: np.ndarray
    count: int
    grouped: bool

    @classmethod
    def of(cls, table: Predictions) -> Self:
        """The groups of a table, else its samples."""
        if table.groups is None:
            return cls(np.arange(len(table)), len(table), False)
        found, codes = np.unique(table.groups, return_inverse=True)
        return cls(codes, len(found), True)

    @property
    def name(self) -> str:
        """Their number, and groups or samples."""
        return counted(self.count, "group" if self.grouped else "sample")

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sums over the samples of each unit, shape (G,), of values (N,); double."""
        return np.bincount(self.codes, values, minlength=self.count)

    def number(self, where: np.ndarray) -> int:
        """Units with a sample that is True; where: shape (N,), bool."""
        if not self.grouped:
            return int(where.sum())
        return len(np.unique(self.codes[where]))

    def leave_out(self, blocks: int, seed: int, held: float) -> Iterator[np.ndarray]:
        """Weights that leave one block of units out each, shape (N, B): 0 for it and 1 elsewhere.

        Args:
            blocks: into how many the units are divided, at random and as evenly as possible.
            seed: of the division.
            held: weights that are made at a time.
        """
        order = np.random.default_rng(seed).permutation(self.count)
        block = np.empty(self.count, np.int64)
        block[order] = np.arange(self.count) % blocks
        own = block[self.codes]
        step = int(np.clip(held / len(own), 1, blocks))
        for start in range(0, blocks, step):
            yield (own[:, None] != np.arange(start, min(start + step, blocks))).astype(np.float32)
