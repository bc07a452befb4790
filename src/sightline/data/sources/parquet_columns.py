"""Columns of several Parquet files of one set: those that only some have, and other types."""

from pathlib import Path

import pyarrow as pa

from sightline.data.labels.columns import LABEL_COLUMNS
from sightline.errors import UserError


def with_like_columns(
    tables: list[pa.Table], files: list[Path], required: list[str]
) -> tuple[list[pa.Table], list[str]]:
    """The tables as they can be put below each other, and notes on what is not alike in them.

    Args:
        tables: one a file.
        files: their files.
        required: columns that images or labels are read from, beside the usual ones of labels.

    Raises:
        UserError: a file lacks one of these columns, or holds another type in it.
    """
    notes = _check_columns(tables, files, required)
    alike, mixed = _of_one_type(tables, files, required)
    return alike, notes + mixed


def _check_columns(tables: list[pa.Table], files: list[Path], required: list[str]) -> list[str]:
    """A note on columns that only some of the files have: they are empty elsewhere.

    Raises:
        UserError: a file lacks a column that its images or labels are read from.
    """
    union = dict.fromkeys(name for table in tables for name in table.column_names)
    named = [name for name in (*required, *LABEL_COLUMNS) if name in union]
    # Without a column of labels, each column of 0 and 1 is one.
    needed = named if set(named) - set(required[:1]) else list(union)
    partial: dict[str, str] = {}
    for file, table in zip(files, tables, strict=True):
        for name in union:
            if name not in table.column_names:
                if name in needed:
                    raise UserError(f"{file} has no column {name!r}, which other files here have.")
                partial.setdefault(name, file.name)
    if not partial:
        return []
    listed = ", ".join(f"{name!r} (not in {file})" for name, file in list(partial.items())[:5])
    return [f"columns that some files lack are empty there: {listed}"]


def _of_one_type(
    tables: list[pa.Table], files: list[Path], required: list[str]
) -> tuple[list[pa.Table], list[str]]:
    """The tables with text in columns whose types differ from file to file, and a note on them.

    Raises:
        UserError: the types differ of a column that images or labels are read from, or lists.
    """
    first: dict[str, tuple[pa.Field, Path]] = {}
    mixed: dict[str, str] = {}
    for file, table in zip(files, tables, strict=True):
        for field in table.schema:
            other, where = first.setdefault(field.name, (field, file))
            if _unify(other, field):
                continue
            if field.name in (*required, *LABEL_COLUMNS) or any(
                map(pa.types.is_nested, (field.type, other.type))
            ):
                raise UserError(
                    f"{file}, column {field.name!r}: it holds {field.type}, but {other.type} in "
                    f"{where}. Write both alike."
                )
            mixed.setdefault(field.name, f"{field.name!r} ({other.type} and {field.type})")
    if not mixed:
        return tables, []
    alike = [
        table.cast(pa.schema(
            field.with_type(pa.string()) if field.name in mixed else field
            for field in table.schema
        ))
        for table in tables
    ]  # fmt: skip
    return alike, [f"columns of different types are read as text: {', '.join(mixed.values())}"]


def _unify(one: pa.Field, other: pa.Field) -> bool:
    """Whether two types have one that holds both."""
    try:
        pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return False
    return True
