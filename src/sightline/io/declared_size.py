"""Declared sizes of compressed files, compared with the free memory before anything is read.

A few kilobytes of Parquet, npz or zip can declare more than any machine holds.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sightline.errors import DamagedError, UserError, first_line

GIB = 2**30
LARGE = 2**25  # bytes from which a table is worth threads
# Bytes of a value in memory by Parquet's own type; of a text its place alone.
WIDTHS = {"INT64": 8, "DOUBLE": 8, "INT96": 8, "INT32": 4, "FLOAT": 4, "BYTE_ARRAY": 4}
TEXT = "BYTE_ARRAY"


@dataclass(frozen=True)
class DeclaredTable:
    """A table as a Parquet file's footer states it.

    Attributes:
        rows: of the table.
        nbytes: its size in memory, at least. A value that repeats takes next to nothing in the
            file, but each row has its place in memory.
        repeated: columns of text that the file holds once for many rows, if their size in memory
            could be more than is free; else empty.
    """

    rows: int
    nbytes: int
    repeated: tuple[str, ...] = ()


def declared_table(path: Path) -> DeclaredTable:
    """What a Parquet file declares.

    Raises:
        DamagedError: the file is damaged, or no Parquet file.
    """
    try:
        about = pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(path, first_line(error)) from error
    groups = [about.row_group(index) for index in range(about.num_row_groups)]
    chunks = [each.column(index) for each in groups for index in range(each.num_columns)]
    declared = sum(each.total_byte_size for each in groups)
    places = sum(each.num_values * WIDTHS.get(each.physical_type, 1) for each in chunks)
    texts = [each for each in chunks if each.physical_type == TEXT
             and any("DICTIONARY" in encoding for encoding in each.encodings)]  # fmt: skip
    most = sum(each.num_values * each.total_uncompressed_size for each in texts)
    repeated = {each.path_in_schema for each in texts} if most > _free() else set()
    return DeclaredTable(about.num_rows, max(declared, places), tuple(sorted(repeated)))


def _repeated_bytes(path: Path, columns: tuple[str, ...]) -> int:
    """The size in memory of columns of text, found without repeating any."""
    with pq.ParquetFile(path, read_dictionary=list(columns)) as file:
        return sum(
            _expanded(chunk)
            for index in range(file.num_row_groups)
            for column in file.read_row_group(index, columns=list(columns)).columns
            for chunk in column.chunks
        )


def _expanded(array: pa.Array) -> int:
    """The size of an array whose dictionaries are written out."""
    if isinstance(array, pa.DictionaryArray):
        lengths = pc.binary_length(array.dictionary).cast(pa.int64())
        return pc.sum(lengths.take(array.indices)).as_py() or 0
    if pa.types.is_struct(array.type) or isinstance(array, pa.ListArray | pa.LargeListArray):
        inner = array.flatten()
        return sum(map(_expanded, inner if isinstance(inner, list) else [inner]))
    return int(array.nbytes)


def _free() -> int:
    return int(psutil.virtual_memory().available)


def zip_bytes(path: Path) -> int:
    """The size of all files in a zip archive, unpacked, as its directory states it.

    Raises:
        BadZipFile: it is none.
    """
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def check_fits(path: object, needed: int) -> None:
    """Refuse a file whose content would not fit into the free memory.

    Args:
        path: the file, for the message.
        needed: bytes of its content.

    Raises:
        UserError: with both sizes.
    """
    free = _free()
    if needed > free:
        raise UserError(
            f"{path} declares {needed / GIB:,.1f} GiB of content, and {free / GIB:,.1f} GiB of "
            "memory are free: it was not read. If it is sound, use a machine with more memory."
        )


def read_parquet(path: Path, declared: DeclaredTable | None = None) -> pa.Table:
    """A table that fits into the free memory; its pages' checksums are compared where it has some.

    Args:
        path: of the file.
        declared: what it declares, where that was read before.

    Raises:
        DamagedError: the file cannot be read.
        UserError: it does not fit.
    """
    declared = declared or declared_table(path)
    check_fits(path, declared.nbytes)
    try:
        if declared.repeated:
            check_fits(path, _repeated_bytes(path, declared.repeated))
        large = declared.nbytes > LARGE
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(use_threads=large)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedError(path, first_line(error)) from error
    if large:
        pa.default_memory_pool().release_unused()  # decoding took more than the table itself
    return table
