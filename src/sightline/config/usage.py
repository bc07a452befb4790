"""The usage text of a command, generated from the model of its options."""

import re
import textwrap
from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from sightline.config.options import Options, choices_of, extra_of, fields_of, is_switch

WIDTH = 80  # characters of a line, as the narrowest terminals have
LEFT = 26  # characters of the column of names


def usage_text(
    name: str,
    kind: type[Options],
    about: str,
    examples: Mapping[str, str],
    overrides: Mapping[str, str],
) -> str:
    """Usage line, description, examples, and each option with its help and default.

    Args:
        name: of the command.
        kind: the model of its options.
        about: paragraphs, separated by empty lines.
        examples: command lines, each with a remark that may be empty.
        overrides: further words that the command takes, each with its help.
    """
    blocks = [_usage_line(name, kind, list(overrides)), *about.strip().split("\n\n")]
    text = "\n\n".join(textwrap.fill(" ".join(block.split()), WIDTH) for block in blocks if block)
    if examples:
        wide = max(map(len, examples))
        lines = [f"  {line:{wide}}  {remark}".rstrip() for line, remark in examples.items()]
        text += "\n\nexamples:\n" + "\n".join(lines)
    rows = option_rows(kind) | dict(overrides)
    if rows:
        text += "\n\noptions:\n" + "\n".join(_row(*row) for row in rows.items())
    return text + "\n"


def option_rows(kind: type[Options]) -> dict[str, str]:
    """Each option as a person types it, with its help and default: positional words first."""
    rows = {}
    for word, field in fields_of(kind, "positional").items():
        rows[_positional(word, field)] = _help(field)
    for word, field in fields_of(kind, "flag").items():
        rows[word if is_switch(field) else f"{word} {_metavar(word, field)}"] = _help(field)
    for word, field in fields_of(kind, "key").items():
        rows[f"{word}={_metavar(word, field)}"] = _help(field)
    return rows


def _usage_line(name: str, kind: type[Options], overrides: list[str]) -> str:
    words = ["usage: sightline", name]
    for word, field in fields_of(kind, "flag").items():
        value = "" if is_switch(field) else f" {_metavar(word, field)}"
        words.append(f"[{word}{value}]")
    for word, field in fields_of(kind, "positional").items():
        words.append(f"[{_positional(word, field)}]")
    keys = fields_of(kind, "key")
    required = [key for key, field in keys.items() if field.is_required()]
    words += [f"{key}={_metavar(key, keys[key])}" for key in required]
    words += ["[KEY=VALUE ...]"] if len(keys) > len(required) else []
    return " ".join([*words, *(f"[{word} ...]" for word in overrides if word != "KEY=VALUE")])


def _positional(name: str, field: FieldInfo) -> str:
    several = " ..." if get_origin(field.annotation) is tuple else ""
    return ("|".join(choices_of(field.annotation)) or name.upper()) + several


def _metavar(word: str, field: FieldInfo) -> str:
    given = extra_of(field, "metavar")
    own = re.split(r"[._-]", word)[-1].upper()
    return str(given or _kind_name(field.annotation) or own)


def _kind_name(annotation: Any) -> str:
    """How a value of this type is written; empty where the option's own name says more."""
    parts = [part for part in get_args(annotation) if part is not NoneType]
    if get_origin(annotation) in (tuple, list):
        return f"[{','.join(choices_of(annotation)) or 'A,B'},...]"
    choices = choices_of(annotation)
    number = "N" if any(part in (int, float) for part in (annotation, *_flat(parts))) else ""
    if choices:
        return "|".join([*choices, number]).strip("|")
    return "true|false" if annotation is bool else number


def _flat(parts: list[Any]) -> list[Any]:
    return [inner for part in parts for inner in (part, *get_args(part))]


def _help(field: FieldInfo) -> str:
    assert field.description is not None, "an option without a description"
    default = field.get_default(call_default_factory=False)
    if field.is_required() or default is None or default in ((), "") or is_switch(field):
        return field.description
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"{field.description} (default: {shown})"


def _row(left: str, right: str) -> str:
    lines = textwrap.wrap(right, WIDTH - LEFT - 2)
    indent = "\n" + " " * (LEFT + 2)
    if len(left) > LEFT - 2:
        return f"  {left}{indent}" + indent.join(lines)
    return f"  {left:{LEFT}}" + indent.join(lines)
