"""What a data source returns: columns for each split, and pictures read by position."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from sightline.errors import UserError

SPLITS = ("train", "val", "test")


class Images(Protocol):
    """Pictures of a split, read one at a time; shared with worker processes, so kept columnar."""

    in_memory: bool

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image.Image: ...

    def content(self, index: int) -> bytes:
        """The bytes that a content digest is taken of."""
        ...


@dataclass(frozen=True)
class Split:
    """Samples of one split.

    Attributes:
        ids: shape (N,), unique names: path relative to the data root, or row key.
        targets: shape (N,), index into the class names; or (N, L), rows of 0 and 1.
        images: the N pictures.
    """

    ids: np.ndarray
    targets: np.ndarray
    images: Images

    def __len__(self) -> int:
        return len(self.ids)

    def digest(self) -> str:
        """32 hexadecimal digits over ids, targets and the pictures' bytes, in order."""
        digest = hashlib.blake2b(digest_size=16)
        for index, name in enumerate(self.ids.tolist()):
            content = self.images.content(index)
            digest.update(f"{name}\0{self.targets[index].tolist()}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


@dataclass(frozen=True)
class SourceData:
    """A data set as its source read it.

    Attributes:
        name: short name.
        location: where it lies, for people: a path or a package.
        class_names: in the order of the targets.
        splits: train, val and test.
        img_size: the side to train at where the data prescribes one; None: from the pictures.
    """

    name: str
    location: str
    class_names: tuple[str, ...]
    splits: dict[str, Split]
    img_size: int | None = None


@dataclass(frozen=True)
class ArrayImages:
    """Pictures in memory: uint8 of shape (N, H, W) or (N, H, W, 3)."""

    array: np.ndarray
    in_memory = True

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(self.array[index])

    def content(self, index: int) -> bytes:
        """The raw pixels."""
        return self.array[index].tobytes()


@dataclass(frozen=True)
class FileImages:
    """Pictures in files below a root."""

    root: Path
    paths: np.ndarray
    in_memory = False

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Image.Image:
        path = self.root / str(self.paths[index])
        try:
            with Image.open(path) as image:
                image.load()
                return image
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"Cannot read the picture {path}: {error}.") from error

    def content(self, index: int) -> bytes:
        """The file's bytes."""
        return (self.root / str(self.paths[index])).read_bytes()


def take(ids: Sequence[str] | np.ndarray, targets: np.ndarray, images: Images) -> Split:
    """A Split of columns of equal length."""
    assert len(ids) == len(targets) == len(images)
    return Split(np.asarray(ids, dtype=str), targets, images)
