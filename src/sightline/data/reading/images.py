"""Collections of images, read by position: in memory, in files, or in a column of a table."""

import hashlib
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from sightline.data.reading.arrays import image_from_array, raster_of_array
from sightline.data.reading.decode import PLAIN, Reading, naming, read_image
from sightline.data.reading.facts import ORDINARY, Facts, facts_of_file, facts_of_raster
from sightline.data.reading.raster import ImageData
from sightline.io.regular import read_regular
from sightline.types import PixelSpec


class Images(ABC):
    """Images read one at a time by position; held in columns, which worker processes share."""

    in_memory = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """One image, see `read_image`."""

    @abstractmethod
    def content(self, index: int) -> bytes:
        """The bytes of an image, for its content digest."""

    def facts(self, index: int, pixels: PixelSpec) -> Facts:
        """What decides how the set is read; see `facts_of_file`."""
        return ORDINARY

    def fingerprint(self) -> str | None:
        """A digest that changes when the content may have changed, without reading it; or None."""
        return None

    def missing(self) -> list[str]:
        """Names of images without a file, found without opening any."""
        return []


@dataclass(frozen=True)
class ArrayImages(Images):
    """Images in memory: numbers of shape (N, H, W), (N, H, W, C) or (N, C, H, W).

    Attributes:
        name: of the array, for messages.
    """

    array: np.ndarray
    name: str = "array"
    in_memory = True

    def __len__(self) -> int:
        return len(self.array)

    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """The image at `index`."""
        with naming(f"{index} of {self.name}"):
            return image_from_array(self.array[index], reading.pixels)

    def facts(self, index: int, pixels: PixelSpec) -> Facts:
        """Facts of the array at `index`."""
        with naming(f"{index} of {self.name}"):
            return facts_of_raster(raster_of_array(self.array[index], pixels), pixels)

    def content(self, index: int) -> bytes:
        """The raw pixels."""
        return self.array[index].tobytes()


@dataclass(frozen=True)
class FileImages(Images):
    """Images in files.

    Attributes:
        root: folder that the paths are relative to.
        paths: strings, one an image.
    """

    root: Path
    paths: pa.Array

    def __len__(self) -> int:
        return len(self.paths)

    def path(self, index: int) -> Path:
        """The path of an image's file."""
        return self.root / self.paths[index].as_py()

    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """The image in the file; its path is in every message."""
        path = self.path(index)
        return read_image(path, str(path), reading)

    def facts(self, index: int, pixels: PixelSpec) -> Facts:
        """Facts of the file."""
        return facts_of_file(self.path(index), str(self.path(index)), pixels)

    def content(self, index: int) -> bytes:
        """The file's bytes."""
        return read_regular(self.path(index))

    def fingerprint(self) -> str | None:
        """A digest of every path, size and time of change."""
        digest = hashlib.blake2b(str(self.root).encode(), digest_size=16)
        root = f"{self.root}/"
        for path in self.paths.to_pylist():
            try:
                stat = os.stat(root + path)  # noqa: PTH116  a Path each would take twice the time
            except OSError:
                return None
            digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
        return digest.hexdigest()

    def missing(self) -> list[str]:
        """Paths without a file, from one listing of each folder."""
        folders, absent = dict[str, set[str]](), list[str]()
        for path in self.paths.to_pylist():
            folder, _, name = path.rpartition("/")
            if folder not in folders:
                place = self.root / folder  # itself, where that is empty
                there = os.scandir(place) if place.is_dir() else ()
                folders[folder] = {entry.name for entry in there}
            if name not in folders[folder]:
                absent.append(path)
        return absent


@dataclass(frozen=True)
class SelectedImages(Images):
    """Some images of a larger collection.

    Attributes:
        all: the collection.
        rows: shape (N,), positions in it.
    """

    all: Images
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """The image at `index`."""
        return self.all.read(int(self.rows[index]), reading)

    def facts(self, index: int, pixels: PixelSpec) -> Facts:
        """Facts of the image at `index`."""
        return self.all.facts(int(self.rows[index]), pixels)

    def content(self, index: int) -> bytes:
        """Its bytes."""
        return self.all.content(int(self.rows[index]))


@dataclass(frozen=True)
class BytesImages(Images):
    """Images as encoded files in a column of a table.

    Attributes:
        column: binary, one image's file a row.
        names: names of the images, for messages and for the kind of file.
        paths: paths of the files whose bytes are not in the column, or None.
    """

    column: pa.ChunkedArray
    names: pa.Array
    paths: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.column)

    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """The image in the row."""
        return read_image(*self._file(index), reading)

    def facts(self, index: int, pixels: PixelSpec) -> Facts:
        """Facts of the file in the row."""
        return facts_of_file(*self._file(index), pixels)

    def _file(self, index: int) -> tuple[bytes, str]:
        name = self.names[index].as_py()
        with naming(name):
            return self.content(index), name

    def content(self, index: int) -> bytes:
        """The row's bytes."""
        value = self.column[index].as_py()
        if value is None and self.paths is not None and self.paths[index].is_valid:
            return read_regular(Path(self.paths[index].as_py()))
        return value if isinstance(value, bytes) else b""
