"""Labels in columns of 0 and 1, one column a label."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.data.tables.files import LabelTable, as_text, require_column
from sightline.errors import UserError
from sightline.types import MISSING

log = logging.getLogger(__name__)

YES_NO = {
    "1": 1, "1.0": 1, "true": 1, "yes": 1,
    "0": 0, "0.0": 0, "false": 0, "no": 0,
    "": MISSING, "-1": MISSING, "-1.0": MISSING, "nan": MISSING, "null": MISSING, "none": MISSING,
}  # fmt: skip


def indicator_columns(
    rows: LabelTable, wanted: list[str] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Label names and targets, shape (N, L) of int8 with MISSING.

    Args:
        rows: the table.
        wanted: which columns; None: all that hold nothing but 0, 1 and unknown.
    """
    where = rows.origin.name
    candidates = wanted or [c for c in rows.table.column_names if c not in rows.others]
    columns = {}
    for name in candidates:
        if wanted is not None:
            require_column(rows.table, name, "data.label_columns", where)
        codes, wrong = _yes_no(rows.table[name])
        if wrong is not None and wanted is not None:
            value = rows.table[name][wrong].as_py()
            raise UserError(
                f"{rows.origin.row(wrong)}, column {name!r}: expected 0 or 1 (empty, -1 or nan "
                f"where it is not known), but got {value!r}."
            )
        if wrong is None and (codes != MISSING).any():
            columns[name] = codes
        elif wanted is not None:
            log.warning("%s, column %r: no row is known.", where, name)
            columns[name] = codes
    if not columns:
        raise UserError(
            f"{where}: no column of labels: no label, labels, class or target, and none of 0 and "
            "1. Name it with data.label_column=... or data.label_columns=[...]. Its columns: "
            f"{', '.join(rows.table.column_names[:30])}."
        )
    return tuple(columns), np.stack(list(columns.values()), axis=1)


def _yes_no(column: pa.ChunkedArray) -> tuple[np.ndarray, int | None]:
    """Codes 0, 1 and MISSING, and the first row that is none of them."""
    encoded = pc.dictionary_encode(as_text(column.combine_chunks()))
    words = [word.strip().lower() for word in encoded.dictionary.to_pylist()]
    unknown = -2
    meaning = np.array([YES_NO.get(word, unknown) for word in words], np.int8)
    codes = meaning[encoded.indices.to_numpy(zero_copy_only=False)]
    wrong = np.flatnonzero(codes == unknown)
    return codes, int(wrong[0]) if len(wrong) else None


def only_one_on(
    rows: LabelTable, names: tuple[str, ...], targets: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """One class a row from columns of 0 and 1; a single column is no or yes."""
    if len(names) == 1:
        unknown = np.flatnonzero(targets[:, 0] == MISSING)
        if len(unknown):
            raise UserError(f"{rows.origin.row(int(unknown[0]))}, column {names[0]!r}: no label.")
        return (f"not {names[0]}", names[0]), targets[:, 0].astype(np.int64)
    on = (targets == 1).sum(axis=1)
    wrong = np.flatnonzero(on != 1)
    if len(wrong):
        raise UserError(
            f"{rows.origin.row(int(wrong[0]))}, columns {', '.join(names[:10])}: {on[wrong[0]]} of "
            "them are 1; expected exactly one class a row (several: label_mode=multilabel)."
        )
    return names, targets.argmax(axis=1)
