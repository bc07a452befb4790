"""Log lines about class names that are merged, and about those that are easily confused."""

import logging
from collections.abc import Iterable, Sequence

from sightline.data.labels.names import alike

log = logging.getLogger(__name__)


def note_merged(name: str, forms: Sequence[str], where: str) -> None:
    """Log where several forms of one word, or another form than the name's, were read as a class.

    Args:
        name: of the class.
        forms: as they are written in the data.
        where: the folder, or the file and column.
    """
    others = [form for form in forms if form != name]
    if others:
        log.warning("%s: %s %s read as %r: the same word in another form of Unicode.", where,
                    " and ".join(ascii(form) for form in others),
                    "is" if len(others) == 1 else "are", name)  # fmt: skip


def warn_alike(names: Iterable[str], where: str) -> None:
    """Log a warning of different classes whose names hardly differ."""
    for similar in alike(names):
        log.warning("%s: %s are different classes here, though their names hardly differ.",
                    where, " and ".join(map(repr, similar)))  # fmt: skip
