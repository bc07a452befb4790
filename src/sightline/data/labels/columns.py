"""Class names and targets from columns of labels, in any of the common forms.

Every error names the file, the row (counted from 1, the header aside) and the column.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.labels.indicators import indicator_columns, only_one_on
from sightline.data.labels.lists import as_lists
from sightline.data.labels.names import canonical
from sightline.data.labels.report import note_merged, warn_alike
from sightline.data.tables.files import LabelTable, as_text, require_column
from sightline.errors import UserError, counted, did_you_mean

log = logging.getLogger(__name__)

LABEL_COLUMNS = ("label", "labels", "class", "target")  # usual names


@dataclass(frozen=True)
class LabelColumns:
    """Which columns hold the labels.

    Attributes:
        column: one column of class names, or of several labels a cell.
        separator: between the labels of a cell; None where cells are lists.
        columns: one column a label, of 0 and 1; empty cells, -1 and nan are not known.
        none_label: the label that says that there is none of the others.
    """

    column: str | None
    separator: str | None
    columns: list[str] | None
    none_label: str | None


def read_labels(
    rows: LabelTable, wanted: LabelColumns, multi_label: bool, class_names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names and targets, shape (N,) or (N, L) of int8 with MISSING.

    Args:
        rows: the table.
        wanted: which columns.
        multi_label: whether an image carries any number of labels.
        class_names: the names that numbers in the column stand for; None: read from the rows.
    """
    if wanted.column is not None and wanted.columns is not None:
        raise UserError("Give data.label_column or data.label_columns, not both.")
    column = label_column(rows, wanted)
    if column is not None:
        require_column(rows.table, column, "data.label_column", rows.origin.name)
        if multi_label:
            return _several(rows, column, wanted, class_names)
        _refuse_idle(wanted, "each image has one label, the whole cell")
        return _one(rows, column, class_names)
    _refuse_idle(wanted, "the labels are columns of 0 and 1")
    names, targets = indicator_columns(rows, wanted.columns)
    return (names, targets) if multi_label else only_one_on(rows, names, targets)


def label_column(rows: LabelTable, wanted: LabelColumns) -> str | None:
    """The column of labels, as named or found; None where they are columns of 0 and 1."""
    if wanted.column is not None or wanted.columns is not None:
        return wanted.column
    names = set(rows.table.column_names) - rows.others
    return next((c for c in LABEL_COLUMNS if c in names), None)


def _refuse_idle(wanted: LabelColumns, because: str) -> None:
    for key, value in (("label_separator", wanted.separator), ("none_label", wanted.none_label)):
        if value is not None:
            raise UserError(f"data.{key}={value!r} has no effect: {because}. Leave it out.")


def _one(
    rows: LabelTable, column: str, class_names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    values = rows.table[column].combine_chunks()
    if class_names is not None and pa.types.is_integer(values.type):
        codes = pc.fill_null(values, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        wrong = np.flatnonzero((codes < 0) | (codes >= len(class_names)))
        if len(wrong):
            raise UserError(
                f"{rows.origin.row(int(wrong[0]))}, column {column!r}: expected a number from 0 to "
                f"{len(class_names) - 1}, but got {values[int(wrong[0])].as_py()}."
            )
        return class_names, codes
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        raise UserError(
            f"{rows.origin.row(0)}, column {column!r}: it holds several labels a row; use "
            "label_mode=multilabel."
        )
    texts = _trimmed(rows, column, as_text(values))
    empty = np.flatnonzero(pc.equal(texts, "").to_numpy(zero_copy_only=False))
    if len(empty):
        raise UserError(
            f"{rows.origin.row(int(empty[0]))}, column {column!r}: the label is missing"
            + (f" (and in {counted(len(empty) - 1, 'more row')})." if len(empty) > 1 else ".")
        )
    names = _names(rows, column, texts.filter(pa.array(rows.train)))
    return names, _look_up(rows, column, texts, names, np.arange(len(texts)))


def _several(
    rows: LabelTable, column: str, wanted: LabelColumns, class_names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    values = rows.table[column].combine_chunks()
    lists = as_lists(rows, column, values, wanted.separator)
    owner = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    flat = pc.list_flatten(lists)
    if class_names is not None and pa.types.is_integer(flat.type):
        flat = pa.array(class_names).take(flat)
    flat = _trimmed(rows, column, as_text(flat), owner)
    labelled = ~np.isin(flat.to_numpy(zero_copy_only=False), ["", wanted.none_label or ""])
    owner, flat = owner[labelled], flat.filter(pa.array(labelled))
    names = class_names or _names(rows, column, flat.filter(pa.array(rows.train[owner])))
    if not names:
        raise UserError(f"{rows.origin.row(0)}, column {column!r}: no row of train has a label.")
    targets = np.zeros((len(lists), len(names)), np.int8)
    targets[owner, _look_up(rows, column, flat, names, owner)] = 1
    return names, targets


def _trimmed(
    rows: LabelTable, column: str, texts: pa.Array, owner: np.ndarray | None = None
) -> pa.Array:
    """Cells in their canonical form, without spaces around them; logs what was changed."""
    trimmed = pc.utf8_trim_whitespace(texts)
    changed = np.flatnonzero(pc.not_equal(trimmed, texts).to_numpy(zero_copy_only=False))
    if len(changed):
        row = int(changed[0] if owner is None else owner[changed[0]])
        label, times = texts[int(changed[0])].as_py(), counted(len(changed), "time")
        log.warning(
            "%s, column %r: spaces around the label %r are left out (%s in all).",
            rows.origin.row(row), column, label, times,
        )  # fmt: skip
    encoded = pc.dictionary_encode(trimmed)
    forms = encoded.dictionary.to_pylist()
    merged = [canonical(form) for form in forms]
    for form, name in zip(forms, merged, strict=True):
        note_merged(name, [form], f"{rows.origin.name}, column {column!r}")
    return pa.array(merged, pa.string()).take(encoded.indices)


def _names(rows: LabelTable, column: str, texts: pa.Array) -> tuple[str, ...]:
    """The different labels, sorted: numbers by value, else by letters."""
    names = [name for name in pc.unique(texts).to_pylist() if name]
    numbers = all(name.lstrip("-").isdecimal() for name in names)
    names.sort(key=(lambda name: (int(name), name)) if numbers else None)
    warn_alike(names, f"{rows.origin.name}, column {column!r}")
    return tuple(names)


def _look_up(
    rows: LabelTable, column: str, texts: pa.Array, names: tuple[str, ...], owner: np.ndarray
) -> np.ndarray:
    """The class index of each text; a class that train does not have is refused."""
    codes = pc.fill_null(pc.index_in(texts, pa.array(names, pa.string())), -1)
    indices: np.ndarray = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    unknown = np.flatnonzero(indices < 0)
    if len(unknown):
        label = texts[int(unknown[0])].as_py()
        raise UserError(
            f"{rows.origin.row(int(owner[unknown[0]]))}, column {column!r}: the class {label!r} is "
            f"not in train, whose classes are: {', '.join(names[:20])}.{did_you_mean(label, names)}"
        )
    return indices
