"""Meanings of arguments, from docstrings in Google's style."""

import inspect
import re
from typing import Any

ARGUMENT = re.compile(
    r"^(?P<indent> *)\*?(?P<names>[a-z_]\w*(?:, [a-z_]\w*)*)(?: \(.*\))?: +(?P<text>\S.*)$"
)
SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)\.(?=\s|$)")


def argument_meanings(target: Any) -> dict[str, str]:
    """The first sentence on each argument, of a function, a class or its `__init__`."""
    places = [target, *([target.__init__] if inspect.isclass(target) else [])]
    found: dict[str, str] = {}
    for place in places:
        found |= _arguments(inspect.getdoc(place) or "")
    return {name: SENTENCE.split(" ".join(text.split()), 1)[0] for name, text in found.items()}


def _arguments(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    names: list[str] = []
    indent = 0
    for line in text.splitlines():
        match = ARGUMENT.match(line)
        deeper = len(line) - len(line.lstrip()) > indent
        if match and not (names and deeper):
            names, indent = match["names"].split(", "), len(match["indent"])
            found |= dict.fromkeys(names, match["text"])
        elif line.strip() and deeper and names:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        else:
            names = []
    return found
