"""Comments of config files: what a file says of itself, and of each of its keys."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z_]\w*):(?= |$)")
COMMENT = re.compile(r"""^(?:[^#"']|"[^"]*"|'[^']*'|(?<=\S)#)*?(?:^|\s)#\s?(?P<text>.*)$""")


@dataclass
class ConfigFile:
    """A file of `conf/` with its comments.

    Attributes:
        about: the comments at the left margin.
        values: as YAML reads the file, without `defaults`.
        meanings: of each key, with dots between the keys of nested mappings.
        shared: names of the files that `defaults` takes in, such as `/data_common`.
    """

    about: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)


def read_config_file(path: Path) -> ConfigFile:
    """The file's values and comments."""
    text = path.read_text()
    values = yaml.safe_load(text) or {}
    defaults = [word for word in values.pop("defaults", []) if isinstance(word, str)]
    found = ConfigFile(values=values)
    found.shared = [word.partition("@")[0] for word in defaults if word.startswith("/")]
    parents: list[tuple[int, str]] = []
    about: list[str] = []
    key = None
    for line in text.splitlines():
        comment = COMMENT.match(line)
        words = comment["text"].strip() if comment else ""
        if line.startswith("#"):
            about.append(words)
            key = None
        elif line.lstrip().startswith("#") and key is not None:
            found.meanings[key] = f"{found.meanings.get(key, '')} {words}".strip()
        elif match := KEY.match(line):
            indent = len(match["indent"])
            parents = [each for each in parents if each[0] < indent] + [(indent, match["key"])]
            key = ".".join(name for _, name in parents)
            if words:
                found.meanings[key] = words
    found.about = " ".join(about)
    return found
