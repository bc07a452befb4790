"""The contract of a data source: splits in columns, over images that are read by position."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa

from sightline.data.reading.decode import PLAIN, Reading
from sightline.data.reading.images import Images
from sightline.data.reading.raster import ImageData
from sightline.data.reading.scan import LeftOut
from sightline.data.reading.stream import Stream

SPLITS = ("train", "val", "test")
# Usual names of the splits, in lower case.
SPLIT_WORDS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Split:
    """Samples of one split, in columns.

    Attributes:
        ids: N unique names: path relative to the data root, or row key.
        targets: shape (N,), index into the class names; or (N, L), rows of 0, 1 and MISSING.
        images: a collection of images, which several splits can share.
        rows: shape (N,), position of each sample's image in `images`.
        groups: shape (N,), a code for samples that must stay in one split (of a patient, a video),
            or None.
        metadata: further columns, for slices, or None.
    """

    ids: pa.Array
    targets: np.ndarray
    images: Images
    rows: np.ndarray
    groups: np.ndarray | None = None
    metadata: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """The image of sample `index`.

        Raises:
            UnreadableImage: it cannot be read.
        """
        return self.images.read(int(self.rows[index]), reading)

    def select(self, positions: np.ndarray) -> Self:
        """The samples at `positions`, in that order."""
        indices = pa.array(positions)
        return replace(
            self,
            ids=self.ids.take(indices),
            targets=self.targets[positions],
            rows=self.rows[positions],
            groups=None if self.groups is None else self.groups[positions],
            metadata=None if self.metadata is None else self.metadata.take(indices),
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
    """A data set as its source reads it.

    Attributes:
        name: short name.
        location: a path or a package, for messages and for the tracking store.
        class_names: in the order of the targets.
        splits: train, and val and test where the data set has them; missing ones are split off
            train.
        img_size: side to train at, in pixels, where the data set prescribes one; None: the median
            of the images' shorter sides.
        stream: training samples that are read in sequence; there is then no split train.
        compose: maps each split, by name, to the samples that are trained on, after splitting.
        left_out: files, or rows, that were found and are not read.
        notes: sentences about how the data were read where their form allows another reading.
        group_names: the name that each code of `Split.groups` stands for; None: the codes are
            names themselves.
        drawn_from: the training samples that those of `splits` are a part of (`draw_train`); None:
            they are all there are.
    """

    name: str
    location: str
    class_names: tuple[str, ...]
    splits: dict[str, Split]
    img_size: int | None = None
    compose: Callable[[str, Split], Split] | None = None
    stream: Stream | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: tuple[str, ...] = ()
    group_names: tuple[str, ...] | None = None
    drawn_from: Split | None = None

    @property
    def whole_train(self) -> Split:
        """All training samples, whose images say what is seen: a draw limits labels alone."""
        return self.splits["train"] if self.drawn_from is None else self.drawn_from


def take(ids: Sequence[str] | np.ndarray | pa.Array, targets: np.ndarray, images: Images) -> Split:
    """A Split of all images of `images`: columns of equal length."""
    assert len(ids) == len(targets) == len(images)
    names = ids if isinstance(ids, pa.Array) else pa.array(list(ids), pa.string())
    return Split(names, targets, images, np.arange(len(targets)))


def once_per_images(splits: dict[str, Split], function: Callable[[str, Images], T]) -> dict[str, T]:
    """The result of `function` for each split's images, by the split's name.

    Splits that share one `Images` object share its result.

    Args:
        splits: by name.
        function: from a split's name and its images; called for the first split of each `Images`.
    """
    collections: list[Images] = []
    computed: list[T] = []
    results = {}
    for name, split in splits.items():
        number = next((i for i, each in enumerate(collections) if each is split.images), None)
        if number is None:
            number = len(collections)
            collections.append(split.images)
            computed.append(function(name, split.images))
        results[name] = computed[number]
    return results
