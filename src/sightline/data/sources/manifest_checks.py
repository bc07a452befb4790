"""Checks of a manifest's columns before its rows are read: every problem in one message."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.labels.columns import LabelColumns, label_column
from sightline.data.labels.indicators import indicator_columns
from sightline.data.labels.report import labels_found
from sightline.data.reading.formats import image_suffixes
from sightline.data.sources.image_paths import with_suffix
from sightline.data.tables.delimited_rows import SEPARATORS
from sightline.data.tables.files import DELIMITERS, LabelTable, TableOrigin, require_column
from sightline.data.tables.repeats import rows_to_keep
from sightline.data.tables.source import Columns
from sightline.errors import UserError

BETWEEN = " or ".join(SEPARATORS.values())
IMAGE_COLUMNS = ("image", "path", "file", "filename", "file_name", "image_path", "image_id")
TRIED = 50  # names that are looked for on disk


def check_columns_of(
    table: pa.Table, base: Path, image_column: str | None, image_suffix: str, columns: Columns,
    labels: LabelColumns, origin: TableOrigin,
) -> str:  # fmt: skip
    """The column of the images, after all columns were looked at.

    Args:
        table: N rows.
        base: the folder that image paths are relative to.
        image_column: as given; None: the first of `IMAGE_COLUMNS` that is there.
        image_suffix: as given.
        columns: split, group and metadata.
        labels: the columns of labels.
        origin: the file of the rows.

    Raises:
        UserError: all problems, a line each where there are several.
    """
    names = table.column_names
    wanted = image_column or next((c for c in IMAGE_COLUMNS if c in names), "image")
    problems: list[str] = []
    found = wanted if wanted in names else _by_content(table, base)
    if wanted not in names:
        problems += _no_image_column(table, wanted, found, origin.name)
    if found is not None and pa.types.is_nested(table.schema.field(found).type):
        problems.append(f"{origin.name}, column {found!r}: expected a path a row, not lists.")
        found = None
    if found is not None:
        problems += _suffix(table, found, base, image_suffix)
    for key, column in _named(columns, labels):
        problems += _problem(partial(require_column, table, column, key, origin.name))
    if _is_delimited(origin.name) and _is_without_names(table):
        raise UserError(_no_names(table, origin.name))
    rows = LabelTable(table, origin, np.ones(table.num_rows, bool),
                      {c for c in (found, columns.split, columns.group) if c})  # fmt: skip
    seen = ""
    if labels.column is None and labels.columns is None:
        label = label_column(rows, labels)
        try:
            of_columns = () if label is not None else indicator_columns(rows, None)[0]
            seen = labels_found(rows, label, of_columns)
        except UserError as error:
            problems.append(str(error))
    if problems and found is not None:
        ids = with_suffix(_texts(table, found), image_suffix)
        problems += _problem(lambda: rows_to_keep(table, ids, found, origin))
    if problems:
        raise UserError(_joined(problems, origin.name, seen))
    return wanted


def _joined(problems: list[str], where: str, seen: str) -> str:
    """All problems, and the columns that were found to hold the labels."""
    if len(problems) == 1:
        return problems[0] + (f" As for labels: {seen}." if seen else "")
    lines = [each.removeprefix(f"{where}: ").removeprefix(f"{where}, ") for each in problems]
    lines = [each.replace(f": {where} has no", ": it has no") for each in lines]
    return (
        f"{where} has {len(problems)} problems:"
        + "".join(f"\n- {each}" for each in lines)
        + (f"\nAs for labels: {seen}." if seen else "")
    )


def _problem(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except UserError as error:
        return [str(error)]
    return []


def _named(columns: Columns, labels: LabelColumns) -> list[tuple[str, str]]:
    """Each column that the config names, with its key."""
    several = [("data.metadata_columns", column) for column in columns.metadata or []]
    several += [("data.label_columns", column) for column in labels.columns or []]
    single = {"data.split_column": columns.split, "data.group_column": columns.group,
              "data.label_column": labels.column}  # fmt: skip
    given = [(key, column) for key, column in single.items() if column not in (None, "none")]
    return [(key, str(column)) for key, column in [*given, *several]]


def _is_delimited(file: str) -> bool:
    return Path(file).suffix.lower() in DELIMITERS


def _is_without_names(table: pa.Table) -> bool:
    """Whether the line of names is a row: one of its cells is the name of an image file."""
    return any(Path(name).suffix.lower() in image_suffixes() for name in table.column_names)


def _no_names(table: pa.Table, where: str) -> str:
    return (
        f"{where}: its first line holds values ({', '.join(table.column_names[:5])}), not names of "
        "columns. Put a line of names above it, such as image,label."
    )


def _no_image_column(table: pa.Table, wanted: str, found: str | None, where: str) -> list[str]:
    if found is None:
        problems = _problem(partial(require_column, table, wanted, "data.image_column", where))
        if table.num_columns == 1 and _is_delimited(where):
            problems.append(f"it has a single column; expected {BETWEEN} between columns.")
        return problems
    example = next((each for each in _texts(table, found).to_pylist() if each.strip()), "")
    return [
        f"data.image_column={wanted}: {where} has no such column. The values of {found!r}, such as "
        f"{example!r}, name images: data.image_column={found}. Its columns: "
        f"{', '.join(table.column_names[:30])}."
    ]


def _by_content(table: pa.Table, base: Path) -> str | None:
    """The column whose values are files, or look like names of images; None where none does."""
    texts = {c: _some(_texts(table, c)) for c in table.column_names
             if not pa.types.is_nested(table.schema.field(c).type)}  # fmt: skip
    endings = image_suffixes()
    for column, names in texts.items():
        if names and all(Path(name).suffix.lower() in endings for name in names):
            return column
    return next((c for c, names in texts.items() if _ending_on_disk(names, base)), None)


def _suffix(table: pa.Table, column: str, base: Path, suffix: str) -> list[str]:
    """What is wrong with an ending: none of the names is a file, but with another one each is."""
    names = _texts(table, column)
    some = _some(names)
    as_given = _some(with_suffix(names, suffix))
    if not some or any((base / name).exists() for name in as_given):
        return []
    ending = _ending_on_disk(some, base)
    if ending is None:
        return []
    return [
        f"column {column!r}: there is no file {base / as_given[0]}, but one with the ending "
        f"{ending}: give data.image_suffix={ending}."
    ]


def _ending_on_disk(names: list[str], base: Path) -> str | None:
    """The ending with which most of the names are files; None where there is none."""
    for ending in [e for each in sorted(image_suffixes()) for e in (each, each.upper())]:
        if 2 * sum((base / f"{name}{ending}").is_file() for name in names) > len(names):
            return ending
    return None


def _some(names: pa.Array) -> list[str]:
    """The first different names."""
    return [name for name in pc.unique(names.slice(0, 20 * TRIED)).to_pylist() if name][:TRIED]


def _texts(table: pa.Table, column: str) -> pa.Array:
    return pc.fill_null(table[column].combine_chunks().cast(pa.string()), "")
