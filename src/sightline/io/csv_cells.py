"""Cells of CSV files that no spreadsheet takes for a formula, and their reading back.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return, and is no number, gets an
apostrophe in front (OWASP, "CSV Injection"). So does one that begins with apostrophes and then such
a character, so that reading, which takes one away, gives what was written.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

# As Python and Arrow (RE2) both read them.
FORMULA = r"^'*[=+\-@\t\r]"
ESCAPED = r"^'('*[=+\-@\t\r])"
# Also a number with its unit, its deviation or its interval: they hold no name of a function.
NUMBER = r"^[+-](?:inf|nan|\.?[0-9][0-9.,]*(?:e[+-]?[0-9]+)?[0-9.,%±−– \[\]()+-]*)$"


def neutral(text: str) -> str:
    """A cell's text as it is written."""
    return f"'{text}" if re.match(FORMULA, text) and not re.match(NUMBER, text) else text


def original(text: str) -> str:
    """A cell's text as it was before it was written."""
    return re.sub(ESCAPED, r"\1", text, count=1)


def neutral_column(column: pa.Array) -> pa.Array:
    """The same as `neutral` of each text of a column; a missing one stays missing."""
    formulas = pc.match_substring_regex(column, FORMULA)
    if not pc.any(formulas).as_py():
        return column
    formulas = pc.and_(formulas, pc.invert(pc.match_substring_regex(column, NUMBER)))
    ends = (pa.scalar(text, column.type) for text in ("'", "", ""))
    quoted = pc.binary_join_element_wise(next(ends), column, *ends)
    return pc.if_else(formulas, quoted, column)


def original_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same as `original` of each text of a column."""
    return pc.replace_substring_regex(column, ESCAPED, r"\1", max_replacements=1)
