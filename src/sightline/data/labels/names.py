"""Names of classes: the forms of one word in Unicode, and names that are easily confused."""

import unicodedata
from collections.abc import Iterable

# Full-width forms of ASCII, as East Asian keyboards write them.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


def canonical(name: str) -> str:
    """The form in which names are compared: composed (NFC), full-width letters as usual ones, and
    without invisible characters (zero-width, byte-order marks) and spaces around it."""
    visible = "".join(c for c in name.translate(_FULL_WIDTH) if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", visible).strip()


def difference(form: str) -> str:
    """The words for how a name differs from its canonical form."""
    if form.strip() == canonical(form):
        return "with spaces around it"
    if any(unicodedata.category(c) == "Cf" for c in form):
        return "with invisible characters"
    return "in another form of Unicode"


def alike(names: Iterable[str]) -> list[list[str]]:
    """Sets of different names that differ only in case, in a number's form (0 and 0.0), or in
    compatibility forms of Unicode (NFKC)."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        found.setdefault(_compared(name), []).append(name)
    return [each for each in found.values() if len(each) > 1]


def _compared(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    try:
        return f"number {float(text):g}" if text[:1] in "+-.0123456789" else text
    except ValueError:
        return text
