"""Text of others on a terminal: its control characters are shown, not obeyed.

A run's name, a file's or a tag can hold sequences by which a terminal clears lines, changes its
title or answers as if the user had typed.
"""

import os
import re

# Those of C0 but tab and newline, DEL, C1, and marks that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """A text with its control characters escaped; tabs and line breaks stay."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def on_one_line(text: str) -> str:
    """The same for a cell of a list: line breaks and tabs are escaped too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def as_utf8(path: str) -> str:
    """A path with escapes in the place of bytes that are not UTF-8: `caf\\xe9.png`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
