"""Parts of Markdown pages: tables, and text that a cell of one can hold."""

import re
from collections.abc import Iterable, Sequence

SIGNS = re.compile(r"([\[\]<>*$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, with an empty line behind it; nothing where there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines]) + "\n"


def code(text: str) -> str:
    """Text as code, in a cell of a table."""
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


def cell(text: str) -> str:
    """Prose in a cell of a table: one line, whose signs Markdown does not take for its own."""
    line = " ".join(text.split()).replace("|", "\\|")
    return "".join(
        part if part.startswith("`") else SIGNS.sub(r"\\\1", part)
        for part in re.split(r"(`[^`]*`)", line)
    )
