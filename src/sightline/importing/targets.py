"""Targets of a stranger's table, compared with those of the data."""

import re

import numpy as np
import pyarrow as pa

from sightline.data.tables.files import as_text
from sightline.errors import UserError, counted
from sightline.importing.foreign_table import ForeignTable, shown
from sightline.label_modes.base import LabelMode
from sightline.types import MISSING

YES = {"1": 1, "true": 1, "1.0": 1, "0": 0, "false": 0, "0.0": 0, "": MISSING, "-1": MISSING}
OF_LABEL = re.compile(r"(?:targets?|y_true|true|gt)[_.:/ ](.+)", re.I)
SEPARATORS = re.compile(r"\s*[;|,]\s*")


def check_targets(
    table: ForeignTable, targets: np.ndarray, mode: LabelMode, classes: tuple[str, ...]
) -> str:
    """Compare the table's targets with the data's, where the table has some.

    Args:
        table: N rows.
        targets: of the data, in the table's order, encoded.
        mode: of the data.
        classes: the names that whole numbers stand for; empty: not known.

    Returns:
        What was compared, in words.

    Raises:
        UserError: a target is missing, of no class, or another one than the data's.
    """
    if mode.multi_label and (columns := _label_columns(table, mode.class_names)):
        return _check_columns(table, targets, mode.class_names, columns)
    name = table.target_column
    if name is None:
        return "of the data, as the table has none"
    column = table.table[name].combine_chunks()
    read = _labels if mode.multi_label else _class_of
    if pa.types.is_list(column.type):
        cells = [None if cell is None else list(map(str, cell)) for cell in column.to_pylist()]
    elif pa.types.is_nested(column.type):
        raise UserError(f"{table.file}: {shown(name)} holds no targets; {_other_column()}")
    else:
        cells = as_text(column).to_pylist()
    known = _names(mode.class_names, classes)
    for row, cell in enumerate(cells):
        if cell in (None, "") and not mode.multi_label:
            raise UserError(
                f"{table.row(row)}: the target (column {shown(name)}) is missing. Fill it in, or "
                "give target_column=none: the data has the targets."
            )
        _compare(table, row, name, read(cell, known, mode.class_names), targets[row], mode)
    return f"as in the column {shown(name)}"


def _other_column() -> str:
    return (
        "if it holds predictions, name that of the targets, target_column=NAME, or give "
        "target_column=none: the data has the targets."
    )


def _names(class_names: tuple[str, ...], classes: tuple[str, ...]) -> dict[str, str]:
    """The class of each cell's text; of whole numbers by `classes`, never by the data's order."""
    own = {name: name for name in class_names}
    return {str(number): name for number, name in enumerate(classes)} | own


def _class_of(cell: object, known: dict[str, str], names: tuple[str, ...]) -> int | None:
    name = known.get(str(cell))
    return names.index(name) if name in names else None


def _labels(cell: object, known: dict[str, str], names: tuple[str, ...]) -> np.ndarray | None:
    """Which labels a list, or a text of names, carries."""
    words = cell if isinstance(cell, list) else [] if cell in (None, "") else [str(cell)]
    if len(words) == 1 and words[0] not in known:
        words = SEPARATORS.split(words[0].strip())
    if not set(words) <= known.keys():
        return None
    carried = {known[word] for word in words}
    return np.array([int(name in carried) for name in names])


def _compare(
    table: ForeignTable, row: int, column: str, given: int | np.ndarray | None,
    target: np.ndarray, mode: LabelMode,
) -> None:  # fmt: skip
    cell = shown(table.table[column][row].as_py())
    if given is None:
        raise UserError(
            f"{table.row(row)}: the target {cell} (column {shown(column)}) is no class of the "
            f"data ({', '.join(map(shown, mode.class_names[:10]))}). Whole numbers need "
            f"classes=[NAMES] in their order; {_other_column()}"
        )
    if not np.logical_or(np.equal(given, target), np.equal(target, MISSING)).all():
        names = np.array(mode.class_names, dtype=str)
        own = ", ".join(names[target == 1]) if target.ndim else str(names[int(target)])
        raise UserError(
            f"{table.row(row)}: the target is {cell} (column {shown(column)}), and "
            f"{shown(own)} in the data. Give the data that was predicted; {_other_column()}"
        )


def _label_columns(table: ForeignTable, names: tuple[str, ...]) -> dict[str, str]:
    return {match[1]: column for column in table.table.column_names
             if (match := OF_LABEL.fullmatch(column)) and match[1] in names}  # fmt: skip


def _check_columns(
    table: ForeignTable, targets: np.ndarray, names: tuple[str, ...], columns: dict[str, str]
) -> str:
    """Compare a column of 0 and 1 a label; an empty cell is not known."""
    for label, column in columns.items():
        own = targets[:, names.index(label)]
        for row, cell in enumerate(as_text(table.table[column]).to_pylist()):
            given = YES.get(cell.strip().lower())
            if given is None or (MISSING not in (given, own[row]) and given != own[row]):
                raise UserError(
                    f"{table.row(row)}: {shown(cell)} in {shown(column)}, and {own[row]} in the "
                    "data. Give the data that was predicted, or target_column=none."
                )
    return f"as in {counted(len(columns), 'column')} of labels"
