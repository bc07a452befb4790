"""Declared sizes of compressed files, compared with the free memory before anything is read.

A few kilobytes of Parquet, npz or zip can declare more than any machine holds.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import DamagedError, UserError, first_line

GIB = 2**30


@dataclass(frozen=True)
class DeclaredTable:
    """A table as a Parquet file's footer states it.

    Attributes:
        rows: of the table.
        nbytes: its size in memory, at least. A value that repeats takes next to nothing in the
            file, but each row has its place in memory.
    """

    rows: int
    nbytes: int


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
    declared = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    return DeclaredTable(about.num_rows, max(declared, about.num_rows * about.num_columns))


def zip_bytes(path: Path) -> int:
    """The size of all files in a zip archive, unpacked, as its directory states it.

    Raises:
        BadZipFile: it is none.
    """
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def check_fits(path: Path, needed: int) -> None:
    """Refuse a file whose content would not fit into the free memory.

    Args:
        path: the file, for the message.
        needed: bytes of its content.

    Raises:
        UserError: with both sizes.
    """
    free = psutil.virtual_memory().available
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
    check_fits(path, (declared or declared_table(path)).nbytes)
    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedError(path, first_line(error)) from error
