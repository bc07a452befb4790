"""Images inside Parquet files, read forward a few rows at a time to bound memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sightline.data.reading.decode import PLAIN, Reading, read_image
from sightline.data.reading.images import Images
from sightline.data.reading.raster import ImageData
from sightline.data.sources.parquet import image_names
from sightline.errors import UserError, first_line

ROWS = 32  # read at a time
BUFFER = 1 << 20  # bytes of a column read at a time


def holds_images(kind: pa.DataType) -> bool:
    """Whether a column holds encoded images: bytes, or Hugging Face's {bytes, path}."""
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


@dataclass
class _Reading:
    """Reading position in a row group: a few rows, the index of the first, and the next ones."""

    group: int
    first: int
    rows: pa.Array
    following: Iterator[tuple[int, pa.Array]]

    def reach(self, row: int) -> bool:
        """Read forward to the row; False where the group ends before it."""
        while row >= self.first + len(self.rows):
            upcoming = next(self.following, None)
            if upcoming is None:
                return False
            self.first, self.rows = upcoming
        return True


class ParquetImages(Images):
    """The images in a column of several files, one file after another.

    Every process has its own reader. Reading forward is cheap; reading backward restarts the row
    group.

    Args:
        files: Parquet files.
        column: of images, in each.

    Attributes:
        names: ids FILE/ROW, with the image's own name where it has one.
    """

    def __init__(self, files: list[Path], column: str) -> None:
        self.column = column
        self.groups: list[tuple[Path, int]] = []  # every row group: its file and number there
        sizes, lengths, own = [], [], []
        for file in files:
            in_groups, names = _sizes_and_names(file, column)
            self.groups += [(file, number) for number in range(len(in_groups))]
            sizes += in_groups
            lengths.append(sum(in_groups))
            own += names
        self.names = image_names(files, lengths, own)
        self.ends = np.cumsum(sizes)
        self._reading: _Reading | None = None

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int, reading: Reading = PLAIN) -> ImageData:
        """The image in the row."""
        return read_image(self.content(index), self.names[index].as_py(), reading)

    def content(self, index: int) -> bytes:
        """The encoded image in the row."""
        group = int(np.searchsorted(self.ends, index, side="right"))
        reading = self._reading
        if reading is None or reading.group != group or index < reading.first:
            first = int(self.ends[group - 1]) if group else 0
            reading = _Reading(group, first, pa.array([], pa.binary()), self._read(group, first))
            self._reading = reading
        if not reading.reach(index):
            raise UserError(f"{self.groups[group][0]} was changed while it was read.")
        value = reading.rows[index - reading.first].as_py()
        return value if isinstance(value, bytes) else b""

    def _read(self, group: int, first: int) -> Iterator[tuple[int, pa.Array]]:
        file, number = self.groups[group]
        with pq.ParquetFile(file, buffer_size=BUFFER) as parquet:
            for batch in parquet.iter_batches(ROWS, row_groups=[number], columns=[self.column]):
                column = batch.column(0)
                if pa.types.is_struct(column.type):
                    column = pc.struct_field(column, "bytes")
                yield first, column
                first += len(column)

    def __getstate__(self) -> dict[str, object]:
        """The state without the open reader: a worker process opens the files itself."""
        return self.__dict__ | {"_reading": None}


def _sizes_and_names(file: Path, column: str) -> tuple[list[int], list[str | None]]:
    """The number of rows of each row group, and the images' own names."""
    try:
        with pq.ParquetFile(file) as parquet:
            about, schema = parquet.metadata, parquet.schema_arrow
            sizes = [about.row_group(number).num_rows for number in range(about.num_row_groups)]
            if column not in schema.names or not holds_images(schema.field(column).type):
                raise UserError(f"{file}: there is no column {column!r} that holds images.")
            kind = schema.field(column).type
            if not pa.types.is_struct(kind) or kind.get_field_index("path") < 0:
                return sizes, [None] * about.num_rows
            names = parquet.read(columns=[f"{column}.path"])[column]
            return sizes, pc.struct_field(names, "path").to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file} cannot be read: {first_line(error)}") from error
