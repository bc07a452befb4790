"""Text above a table: comment lines, and the line in which Excel states the separator."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.errors import UserError, counted

STATED = re.compile(r'"?sep=(\\t|.)"?\s*', re.IGNORECASE)
COMMENT = "#"


@dataclass(frozen=True)
class Preamble:
    """What stands above the names of the columns.

    Attributes:
        lines: how many lines.
        separator: that one of them states; None: none does.
        notes: what was left out, for people.
    """

    lines: int
    separator: str | None
    notes: list[str]


def find_preamble(lines: Sequence[str], separators: Sequence[str], file: str) -> Preamble:
    """The lines above the names of the columns.

    The last line that begins with # holds the names where it reads like them: as many cells as the
    line below, none of them of several words.

    Args:
        lines: the first ones, without a byte-order mark.
        separators: that a table may have.
        file: for messages.

    Raises:
        UserError: the separator that `sep=` states is none of them.
    """
    stated = STATED.fullmatch(lines[0]) if lines else None
    separator = stated[1].replace("\\t", "\t") if stated else None
    if separator is not None and separator not in separators:
        raise UserError(
            f"{file}: the line {lines[0].strip()!r} states the separator {separator!r}; expected "
            f"one of {' '.join(map(repr, separators))}. Save the file with one of these."
        )
    first = count = 1 if stated else 0
    while count < len(lines) and lines[count].startswith(COMMENT):
        count += 1
    if count > first and _are_names(lines[count - 1], lines[count : count + 1], separators):
        count -= 1
    return Preamble(count, separator, comment_note(count - first))


def comment_note(count: int) -> list[str]:
    """The note that so many lines were left out; empty for none."""
    return [f"{counted(count, 'comment line')} (#) left out"] if count else []


def _are_names(line: str, below: Sequence[str], separators: Sequence[str]) -> bool:
    """Whether a line that begins with # may hold the names of the columns of the rows below."""
    for separator in separators:
        names = next(csv.reader(io.StringIO(line), delimiter=separator))
        widths = [len(row) for row in csv.reader(below, delimiter=separator)]
        if widths == [len(names)] and len(names) > 1:
            return all(len(name.lstrip(COMMENT).split()) == 1 for name in names)
    return False
