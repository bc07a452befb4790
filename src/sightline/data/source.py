"""What a data source returns: columns for each split, and images read by position."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa

from sightline.data.loading.stream import Stream
from sightline.data.reading.decode import ImageData
from sightline.data.reading.images import Images

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """Samples of one split, in columns.

    Attributes:
        ids: N unique names: path relative to the data root, or row key.
        targets: shape (N,), index into the class names; or (N, L), rows of 0, 1 and MISSING.
        images: where the images are read; several splits can share it.
        rows: shape (N,), position of each sample's image in `images`.
        groups: shape (N,), a code for what must not be torn apart (a patient, a video), or None.
        metadata: further columns that are kept for slices, or None.
    """

    ids: pa.Array
    targets: np.ndarray
    images: Images
    rows: np.ndarray
    groups: np.ndarray | None = None
    metadata: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int, min_side: int | None = None) -> ImageData:
        """The image of sample `index`."""
        return self.images.read(int(self.rows[index]), min_side)

    def select(self, positions: np.ndarray) -> Self:
        """The samples at `positions`, in that order."""
        where = pa.array(positions)
        return replace(
            self,
            ids=self.ids.take(where),
            targets=self.targets[positions],
            rows=self.rows[positions],
            groups=None if self.groups is None else self.groups[positions],
            metadata=None if self.metadata is None else self.metadata.take(where),
        )

    def digest(self, contents: np.ndarray) -> str:
        """32 hexadecimal digits over ids, targets and images, in order.

        Args:
            contents: the content digest of every image in `images`.
        """
        digest = hashlib.blake2b(digest_size=16)
        for name in self.ids.to_pylist():
            digest.update(f"{name}\0".encode())
        digest.update(np.ascontiguousarray(self.targets.astype(np.int64)).tobytes())
        digest.update(contents[self.rows].tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class SourceData:
    """A data set as its source read it.

    Attributes:
        name: short name.
        location: where it lies, for people: a path or a package.
        class_names: in the order of the targets.
        splits: train, and val and test where the data has them; the others are made of train.
        img_size: the side to train at where the data prescribes one; None: from the images.
        stream: the training samples, where they come in sequence; there is then no split train.
        compose: makes each split, by name, into what is trained on, once the splits are drawn.
    """

    name: str
    location: str
    class_names: tuple[str, ...]
    splits: dict[str, Split]
    img_size: int | None = None
    compose: Callable[[str, Split], Split] | None = None
    stream: Stream | None = None


def take(ids: Sequence[str] | np.ndarray | pa.Array, targets: np.ndarray, images: Images) -> Split:
    """A Split of all images of `images`: columns of equal length."""
    assert len(ids) == len(targets) == len(images)
    names = ids if isinstance(ids, pa.Array) else pa.array(list(ids), pa.string())
    return Split(names, targets, images, np.arange(len(targets)))
