"""Text of a file in UTF-8, whatever a program wrote it in."""

import codecs

import pyarrow as pa

from sightline.errors import UserError

# UTF-32's mark begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


def as_utf8(content: pa.Buffer) -> tuple[pa.Buffer, str | None]:
    """The content in UTF-8, and its encoding where that was another one.

    Without a byte-order mark UTF-16 is known by the zero in one of the first two bytes.
    """
    start = content[:4].to_pybytes()
    encoding = next((e for mark, e in BYTE_ORDER_MARKS.items() if start.startswith(mark)), None)
    if encoding is None and len(start) == 4:
        zeros = [byte == 0 for byte in start]
        forms = {(False, True, False, True): "utf-16-le", (True, False, True, False): "utf-16-be"}
        encoding = forms.get(tuple(zeros))
    if encoding is None:
        return content, None
    try:
        return pa.py_buffer(content.to_pybytes().decode(encoding).encode()), encoding
    except UnicodeDecodeError as error:
        raise pa.ArrowInvalid(f"it begins as {encoding.upper()}, but is not: {error}") from error


def decoded(content: pa.Buffer, where: str, above: int) -> str:
    """The content as text.

    Args:
        content: UTF-8.
        where: the words before a line's number.
        above: how many lines are left out above the content.

    Raises:
        UserError: names the line that is not UTF-8.
    """
    data = content.to_pybytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = above + data.count(b"\n", 0, error.start) + 1
        before = data[: error.start].rpartition(b"\n")[2][-20:]
        shown = ascii(before + data[error.start : error.start + 20].split(b"\n")[0])[2:-1]
        raise UserError(
            f"{where} {line} is not UTF-8: '{shown}'. Save the file as UTF-8."
        ) from error


def lenient_text(data: bytes) -> str:
    """Text to look at, with marks in the place of what is not UTF-8."""
    return data.decode("utf-8", "replace").lstrip("\ufeff")
