"""Memory-mapped tables: Parquet files larger than memory, unpacked in the cache folder."""

import hashlib
import json
import logging
import shutil
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from sightline.data.cache.files import GIB
from sightline.errors import DamagedError, UserError, first_line
from sightline.io.atomic import atomic_path, write_atomically
from sightline.io.declared_size import parquet_bytes
from sightline.paths import image_cache_dir

log = logging.getLogger(__name__)

SHARE = 0.25  # of the free memory that tables may take
BATCH_ROWS = 1_000


def read_tables(files: list[Path]) -> list[pa.Table]:
    """Each file's table: in memory where all of them fit, else memory-mapped.

    Raises:
        UserError: a file cannot be read, is empty, or there is no room for it.
    """
    needed = sum(map(_declared_bytes, files))
    mapped = needed > SHARE * psutil.virtual_memory().available
    return [_mapped(file) if mapped else _in_memory(file) for file in files]


def _declared_bytes(file: Path) -> int:
    try:
        needed = parquet_bytes(file)
    except DamagedError as error:
        raise UserError(f"{file} cannot be read: {error.problem}") from error
    if pq.read_metadata(file).num_rows == 0:
        raise UserError(f"{file} has no rows.")
    return needed


def _in_memory(file: Path) -> pa.Table:
    try:
        return pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file} cannot be read: {first_line(error)}") from error


def _mapped(file: Path) -> pa.Table:
    stat = file.stat()
    facts = f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}"
    key = hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()
    folder = image_cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.arrow"
    about = path.with_suffix(".json")
    with FileLock(folder / f"{key}.lock"):
        if not path.is_file():
            _unpack(file, path, folder)
        rows = pq.read_metadata(file).num_rows
        write_atomically(about, json.dumps({"name": file.name, "shape": [rows]}))
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _unpack(file: Path, path: Path, folder: Path) -> None:
    needed, free = parquet_bytes(file), shutil.disk_usage(folder).free
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
