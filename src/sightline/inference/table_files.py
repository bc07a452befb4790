"""Table files written atomically: CSV, JSON lines or Parquet, by the file's ending."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from sightline.data.tables.files import PARQUET
from sightline.errors import UserError
from sightline.io.atomic import atomic_path
from sightline.io.csv_cells import neutral, neutral_column

CSV = (".csv",)
JSON_LINES = (".jsonl", ".ndjson")
ROW_GROUP = 10_000  # least number of rows


def check_output(path: Path, endings: tuple[str, ...], overwrite: bool) -> None:
    """Check an output before anything is computed.

    Raises:
        UserError: the ending is none of `endings`, or there is what may not be replaced: a folder,
            a link, a device or a pipe, or a file without `overwrite`.
    """
    if path.suffix.lower() not in endings:
        raise UserError(
            f"output={path}: the ending chooses the format; expected one of {', '.join(endings)}."
        )
    if path.is_dir():
        raise UserError(f"output={path} is a folder; give a file.")
    if path.is_symlink():  # it would be replaced itself, not what it points to
        raise UserError(f"output={path} is a link to {path.readlink()}; give the path of a file.")
    if path.exists() and not path.is_file():
        raise UserError(f"output={path} is a device or a pipe; give the path of a file.")
    if path.exists() and not overwrite:
        raise UserError(f"output={path} exists; give another name, or overwrite=true.")


def write_table(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write rows atomically; in a CSV file, lists are cells of JSON.

    Raises:
        UserError: the file cannot be written.
    """
    write = {**dict.fromkeys(CSV, _write_csv), **dict.fromkeys(JSON_LINES, _write_json_lines)}
    try:
        with atomic_path(path) as partial:
            write.get(path.suffix.lower(), _write_parquet)(partial, schema, batches)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error


TABLES = (*CSV, *JSON_LINES, *PARQUET)


def _write_csv(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    flat = pa.schema([
        pa.field(neutral(f.name), pa.string() if _is_list(f.type) else f.type) for f in schema
    ])  # fmt: skip
    with pa.csv.CSVWriter(str(path), flat) as writer:
        for batch in batches:
            columns = [_as_json(c) if _is_list(c.type) else c for c in batch.columns]
            columns = [neutral_column(c) if pa.types.is_string(c.type) else c for c in columns]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=flat))


def _write_json_lines(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for batch in batches:
            stream.writelines(
                json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist()
            )


def _write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    with pq.ParquetWriter(path, schema) as writer:
        pending: list[pa.RecordBatch] = []
        for batch in batches:
            pending.append(batch)
            if sum(each.num_rows for each in pending) >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(pending, schema))
                pending = []
        writer.write_table(pa.Table.from_batches(pending, schema))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind))


def _as_json(column: pa.Array) -> pa.Array:
    texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist()]
    return pa.array(texts, pa.string())
