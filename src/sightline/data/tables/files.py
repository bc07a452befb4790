"""Tables of labels in files: CSV, TSV, JSON and Parquet."""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from sightline.data.reading.formats import image_suffixes
from sightline.data.tables.delimited import read_delimited
from sightline.data.tables.encoding import as_utf8, lenient_text
from sightline.errors import DamagedError, UserError, did_you_mean, first_line
from sightline.io.declared_size import read_parquet

log = logging.getLogger(__name__)

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
# Objects and arrays in each other, for which Arrow needs minutes and Python has no room.
NESTED = re.compile(rb"(?:[\[{][^\[\]{}]*){100}")


@dataclass(frozen=True)
class TableOrigin:
    """The files that a table's rows come from, one after another.

    Attributes:
        names: of the files.
        lengths: number of rows of each.
    """

    names: list[str]
    lengths: list[int]

    @property
    def name(self) -> str:
        """The first file, for messages about the whole table."""
        return self.names[0]

    def row(self, row: int) -> str:
        """The words that name a row, counted from 1, the header aside."""
        ends = np.cumsum(self.lengths)
        index = int(np.searchsorted(ends, row, side="right"))
        return f"{self.names[index]}, row {row - ends[index] + self.lengths[index] + 1}"


@dataclass(frozen=True)
class LabelTable:
    """A table to read labels from.

    Attributes:
        table: N rows.
        origin: the files of the rows.
        train: which rows are train's, shape (N,); the class map comes from them.
        others: columns that hold something other than labels.
    """

    table: pa.Table
    origin: TableOrigin
    train: np.ndarray
    others: set[str]


def existing_file(path: str, key: str) -> Path:
    """The absolute path of a file; where there is none, an error with the nearest name."""
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        if file.exists():
            kind = "a folder" if file.is_dir() else "a device or a pipe"
            raise UserError(f"{key}={path}: {file} is {kind}, not a file.")
        beside = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        raise UserError(f"{key}={path}: {file} is not there.{did_you_mean(file.name, beside)}")
    return file


def read_table(file: Path) -> pa.Table:
    """The table; cells of CSV and TSV files stay text, so that 007 is not 7.

    Raises:
        UserError: the file is of another kind, empty, or damaged; names the file.
    """
    suffix = file.suffix.lower()
    if suffix not in (*DELIMITERS, *JSON_LINES, *PARQUET):
        raise UserError(
            f"{file}: cannot read {suffix or 'a file without ending'!r}; expected "
            f"{', '.join((*DELIMITERS, *JSON_LINES, *PARQUET))}. Save a spreadsheet as CSV (UTF-8)."
        )
    if file.stat().st_size == 0:
        raise UserError(f"{file} is empty.")
    try:
        if suffix in DELIMITERS:
            table = read_delimited(file, DELIMITERS[suffix])
        elif suffix in JSON_LINES:
            table = _read_json(file)
        else:
            table = read_parquet(file)
    except DamagedError as error:
        raise UserError(f"{file} cannot be read: {error.problem}") from error
    except RecursionError as error:
        raise UserError(f"{file} cannot be read: it is nested too deep.") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OSError) as error:
        hint = " Save the file as UTF-8." if "UTF8" in str(error).upper().replace("-", "") else ""
        raise UserError(f"{file} cannot be read: {first_line(error)}.{hint}") from error
    if table.num_rows == 0:
        raise UserError(f"{file} has a header but no rows.")
    return table


def _read_json(file: Path) -> pa.Table:
    """JSON lines, or one array of objects."""
    content, encoding = as_utf8(pa.memory_map(str(file)).read_buffer())
    if encoding is not None:
        log.warning("%s: read with %s.", file, encoding.upper())
    if NESTED.search(content):
        raise RecursionError
    if not lenient_text(content[:64].to_pybytes()).lstrip().startswith("["):
        table = pyarrow.json.read_json(pa.BufferReader(content))
        lists = [kind for kind in table.schema.types if pa.types.is_list(kind)]
        rows = any(pa.types.is_struct(kind.value_type) for kind in lists)
        nested = sum(map(pa.types.is_nested, table.schema.types))
        named = any(Path(key).suffix.lower() in image_suffixes() for key in table.column_names)
        if table.num_rows == 1 and (rows or named or nested == table.num_columns):
            kind = "from names of images" if named else "with lists" if lists else "of objects"
            raise pa.ArrowInvalid(
                f"one object {kind}; expected an object a line, or one array of objects, such as "
                '{"image": "a.png", "label": "cat"}'
            )
        return table
    try:
        rows = json.loads(content.to_pybytes().decode("utf-8-sig"))
    except ValueError as error:
        raise pa.ArrowInvalid(str(error)) from error
    if not all(isinstance(row, dict) for row in rows):
        raise pa.ArrowInvalid("an array of something other than objects")
    return pa.Table.from_pylist(rows)


def require_column(table: pa.Table, name: str, key: str, where: str) -> None:
    """Refuse a table without a column that the config names."""
    if name not in table.column_names:
        raise UserError(
            f"{key}={name}: {where} has no such column.{did_you_mean(name, table.column_names)} "
            f"Its columns: {', '.join(table.column_names[:30])}."
        )


def as_text(values: pa.Array) -> pa.Array:
    """Cells as text, whole numbers without a point; a missing cell is empty."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        whole = pc.all(pc.equal(pc.round(values), values)).as_py()
        values = values.cast(pa.int64()) if whole else values
    return pc.fill_null(values.cast(pa.string()), "")
