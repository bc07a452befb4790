"""Text above a table: comment lines, and the line in which Excel states the separator."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.errors import UserError, counted

STATED = re.compile(r'"?sep=(\\t|.)"?[,;|\s]*', re.IGNORECASE)
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
    separator = None
    comments = count = 0
    while count < len(lines):
        stated = STATED.fullmatch(lines[count]) if separator is None else None
        if stated is not None:
            separator = _checked(stated, separators, file)
        elif lines[count].startswith(COMMENT):
            comments += 1
        elif lines[count].strip():
            break
        count += 1
    last = lines[count - 1] if count else ""
    below = lines[count : count + 1]
    if last.startswith(COMMENT) and _are_names(last, below, separators):
        count, comments = count - 1, comments - 1
    return Preamble(count, separator, comment_note(comments))


def _checked(stated: re.Match[str], separators: Sequence[str], file: str) -> str:
    separator = stated[1].replace("\\t", "\t")
    if separator not in separators:
        raise UserError(
            f"{file}: the line {stated[0].strip()!r} states the separator {separator!r}; expected "
            f"one of {' '.join(map(repr, separators))}. Save the file with one of these."
        )
    return separator


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
