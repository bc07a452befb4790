"""The keys of the configs with their values and comments, read from the YAML files themselves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sightline.paths import config_folders

LINE = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_]\w*):(?P<value>( +[^#]\S*( +[^#\s]\S*)*)?)"
                  r"( +# (?P<comment>.*))?$")  # fmt: skip
FURTHER = re.compile(r"\s{4,}# (.*)$")  # a comment that continues on a line of its own
FITTING = re.compile(r"\$\{fitting:\{(.*)\}\}")
NOT_KEYS = ("defaults", "hydra")


@dataclass
class KeyDoc:
    """A key of the config.

    Attributes:
        key: dotted, from the root.
        value: as the file says it.
        comment: beside it; empty where there is none.
        options: of its config group that have it with this value; empty: all have it.
    """

    key: str
    value: str
    comment: str
    options: list[str] = field(default_factory=list)


def key_docs(arguments: list[str]) -> list[KeyDoc]:
    """Every key, those of `train.yaml` first, then group by group.

    Args:
        arguments: of the command; `--config-dir` names further configs.
    """
    found: dict[tuple[str, str], KeyDoc] = {}
    for folder in config_folders(arguments):
        for path, group, option in _files(folder):
            for doc in read_keys(path, f"{group}." if group else ""):
                known = found.setdefault((doc.key, doc.value), doc)
                known.comment = known.comment or doc.comment
                known.options += [option] if option else []
    return list(found.values())


def about_option(arguments: list[str], group: str, option: str) -> str:
    """The comment at the top of an option's file; empty where it has none."""
    for folder in config_folders(arguments):
        path = folder / group / f"{option}.yaml"
        if path.is_file():
            return about_file(path)
    return ""


def about_file(path: Path) -> str:
    """The comment at the top of a file; empty where it has none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    count = next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)
    return " ".join(line.lstrip("# ").rstrip() for line in lines[:count])


def _files(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Each file of keys with its group and option; of the root and of what options share, none."""
    root = folder / "train.yaml"
    if root.is_file():
        yield root, "", ""
    for path in sorted(folder.glob("*_common.yaml")):
        yield path, path.stem.removesuffix("_common"), ""
    for path in sorted(folder.glob("*/*.yaml")):
        if path.parent.name not in ("experiment", "hydra", "report"):
            yield path, path.parent.name, path.stem


def read_keys(path: Path, prefix: str) -> Iterator[KeyDoc]:
    """The keys of one file that have a value or a comment, their names behind `prefix`."""
    above: list[tuple[int, str]] = []  # indent and name of the keys that the line is below
    last: KeyDoc | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        further = FURTHER.match(line)
        if further and last is not None and last.comment:
            last.comment += f" {further[1]}"
            continue
        match = LINE.match(line)
        if match is None:
            continue
        if last is not None:
            yield last
        indent, value = len(match["indent"]), match["value"].strip()
        above = [each for each in above if each[0] < indent]
        names = [name for _, name in above] + [match["key"]]
        above.append((indent, match["key"]))
        last = None
        if names[0] not in NOT_KEYS and (value or match["comment"]) and names[-1] != "_target_":
            by_what_learns = FITTING.search(value)
            shown = by_what_learns[1].replace(",", ", ") if by_what_learns else value.strip('"')
            last = KeyDoc(prefix + ".".join(names), shown, (match["comment"] or "").strip())
    if last is not None:
        yield last
