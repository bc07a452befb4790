"""Sentences about labels: the columns that hold them, names that are merged or hardly differ."""

import logging
from collections.abc import Iterable, Sequence

from sightline.data.labels.names import alike, difference
from sightline.data.tables.files import LabelTable

log = logging.getLogger(__name__)

SHOWN = 20  # columns


def labels_found(rows: LabelTable, column: str | None, names: Iterable[str]) -> str:
    """The words for the columns that hold the labels, where the config names none.

    Args:
        rows: the table.
        column: the one with the labels; None: columns of 0 and 1.
        names: of the classes, which such columns are called by.
    """
    if column is not None:
        return f"the labels are in the column {column!r}"
    labels = set(names)
    found = [c for c in rows.table.column_names if c in labels]
    others = [c for c in rows.table.column_names if c not in labels and c not in rows.others]
    beside = f", and other values in {_listed(others)}" if others else ""
    return f"the labels are the columns of 0 and 1: {_listed(found)}{beside}"


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - SHOWN:,} more" if len(columns) > SHOWN else ""
    return ", ".join(columns[:SHOWN]) + more


def note_merged(name: str, forms: Sequence[str], where: str) -> None:
    """Log where several forms of one word, or another form than the name's, were read as a class.

    Args:
        name: of the class.
        forms: as they are written in the data.
        where: the folder, or the file and column.
    """
    others: dict[str, list[str]] = {}
    for form in forms:
        if form != name:
            others.setdefault(difference(form), []).append(form)
    for how, alike_forms in others.items():
        log.warning("%s: %s %s read as %r: the same word %s.", where,
                    " and ".join(ascii(form) for form in alike_forms),
                    "is" if len(alike_forms) == 1 else "are", name, how)  # fmt: skip


def warn_alike(names: Iterable[str], where: str) -> None:
    """Log a warning of different classes whose names hardly differ."""
    for similar in alike(names):
        log.warning("%s: %s are different classes here, though their names hardly differ.",
                    where, " and ".join(map(repr, similar)))  # fmt: skip
