"""Memory-mapped tables: Parquet files larger than memory, unpacked in the cache folder."""

import hashlib
import logging
import os
import shutil
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from sightline.data.cache.entries import GIB
from sightline.errors import DamagedError, UserError, first_line
from sightline.io.atomic import atomic_path
from sightline.io.declared_size import DeclaredTable, declared_table, read_parquet
from sightline.io.digests import damage_by_digest, file_digest
from sightline.io.sealed import read_sealed, write_sealed
from sightline.paths import image_cache_dir

log = logging.getLogger(__name__)

SHARE = 0.25  # of the free memory that tables may take
BATCH_ROWS = 1_000
CONTENT = "content"  # the key of the digest of an unpacked table


def read_tables(files: list[Path]) -> list[pa.Table]:
    """Each file's table: in memory where all of them fit, else memory-mapped.

    Raises:
        UserError: a file cannot be read, is empty, or there is no room for it.
    """
    try:
        declared = {file: declared_table(file) for file in files}
        for file, each in declared.items():
            if each.rows == 0:
                raise UserError(f"{file} has no rows.")
        needed = sum(each.nbytes for each in declared.values())
        if needed <= SHARE * psutil.virtual_memory().available:
            return [read_parquet(file, declared[file]) for file in files]
    except DamagedError as error:
        raise UserError(f"{error.path} cannot be read: {error.problem}") from error
    return [_mapped(file, declared[file]) for file in files]


def _mapped(file: Path, declared: DeclaredTable) -> pa.Table:
    stat = file.stat()
    origin = f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}"
    key = hashlib.blake2b(origin.encode(), digest_size=16).hexdigest()
    folder = image_cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.arrow"
    about = path.with_suffix(".json")
    with FileLock(folder / f"{key}.lock"):
        table = _load(path, about)
        if table is None:
            about.unlink(missing_ok=True)  # whose digest is that of the file to be replaced
            _unpack(file, path, folder, declared.nbytes)
            unpacked = {"name": file.name, "shape": [declared.rows], CONTENT: file_digest(path)}
            write_sealed(about, unpacked)
            table = _open(path)
        os.utime(about)
    return table


def _load(path: Path, about: Path) -> pa.Table | None:
    """An unpacked table; None where there is none, or it is damaged."""
    if not (path.is_file() and about.is_file()):
        return None
    try:
        damage = damage_by_digest(path, read_sealed(about).get(CONTENT))  # older ones have none
        if damage is None:
            return _open(path)
    except (DamagedError, pa.ArrowException, OSError) as error:
        damage = first_line(error)
    log.warning("%s is damaged (%s): the table is unpacked anew.", path, damage)
    return None


def _open(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _unpack(file: Path, path: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{file} does not fit in memory, and {folder} has {free / GIB:.1f} GiB free of the "
            f"{needed / GIB:.1f} GiB that it takes uncompressed; move SIGHTLINE_CACHE."
        )
    log.info("mapping: %s is larger than memory allows and is unpacked in %s", file.name, folder)
    try:
        with pq.ParquetFile(file) as parquet, atomic_path(path) as partial:
            schema = parquet.schema_arrow
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                for batch in parquet.iter_batches(BATCH_ROWS):
                    writer.write_batch(batch)
                    if sink.tell() > free:  # values that repeat are larger than is declared
                        raise UserError(f"{file} does not fit into {folder} once it is unpacked.")
    except pa.ArrowInvalid as error:
        raise UserError(f"{file} cannot be read: {first_line(error)}") from error
