"""Tables in a JSON file that is one object, as pandas writes them: by id, or split into parts."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline.errors import UserError, first_line

ID = "filename"  # timm's name for the keys of an object by id
Rows = list[dict[str, Any]]


def read_object(file: Path) -> pa.Table | None:
    """The table of `{ID: {COLUMN: CELL}}` or `{"columns": [...], "data": [[...]]}`; else None.

    They are pandas' orients `index` and `split`, timm's formats `json` and `json-split`.

    Raises:
        UserError: it is one of them, and its rows have different columns or kinds of cells.
        RecursionError: it is nested too deeply.
    """
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        return None  # lines of objects, or damaged: read, or refused, as any other table
    rows = _rows(found) if isinstance(found, dict) else None
    if not rows:
        return None
    row = next((i for i, each in enumerate(rows) if each.keys() != rows[0].keys()), None)
    if row is not None:
        raise UserError(f"{file}, row {row + 1}: it has other columns than row 1.")
    try:
        return pa.Table.from_pylist(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise UserError(f"{file} cannot be read: {first_line(error)}.") from error


def _rows(found: dict[str, Any]) -> Rows | None:
    columns, data = found.get("columns"), found.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        if not all(isinstance(each, list) and len(each) == len(columns) for each in data):
            return None
        return [dict(zip(map(str, columns), each, strict=True)) for each in data]
    if found and all(isinstance(each, dict) for each in found.values()):
        return [{ID: name, **each} for name, each in found.items()]
    return None
