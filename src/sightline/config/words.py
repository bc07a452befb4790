"""Overrides as people type them: quotes for values that Hydra's grammar reads otherwise, or not.

A word is KEY=VALUE. A value that the grammar does not take (`photos (1)`, `~/photos`, `été`, `C#`,
`a=b`, and `a,b` where there is such a file) is put in quotes, and so is a number or a word of YAML
where the key takes text alone (`data.root=2024`, `label_mode.positive_class=1`): it then means what
was typed. Lists, quoted text, interpolations and the functions of sweeps (`range(0,5)`) stay as
they are.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from pydantic import TypeAdapter, ValidationError

from sightline.errors import UserError

OVERRIDE = re.compile(r"(\+{0,2}[\w.@/-]+)=(.*)", re.DOTALL)
FUNCTION = re.compile(
    r"(choice|range|interval|glob|shuffle|sort|tag|int|float|str|bool|json_str|extend_list)\("
)
LIST = re.compile(r"\[([^\[\]{}'\"()]*)\]")  # a flat one without quotes

Types = Callable[[str], Any]  # a key's annotation; None where it is not known


def quoted(value: str) -> str:
    """A text as Hydra's grammar takes it."""
    return str(QuotedString(value, Quote.single).with_quotes())


def quote_overrides(words: list[str], types: Types, sweep: bool = False) -> list[str]:
    """The words with quotes around values that would be misread.

    Args:
        words: of a command; those that are no overrides stay as they are.
        types: the annotation of a key, asked for numbers and words of YAML alone.
        sweep: whether commas stand between the values of a sweep.

    Raises:
        UserError: a value names a file that is written like an interpolation.
    """
    return [_quote(word, types, sweep) for word in words]


def _quote(word: str, types: Types, sweep: bool) -> str:
    match = OVERRIDE.fullmatch(word)
    if match is None or not match[2]:
        return word
    key, value = match.groups()
    if "${" in value and Path(value).expanduser().exists():
        raise UserError(
            f"{word}: in an option ${{...}} stands for another value, so that this file or folder "
            "cannot be named. Rename it."
        )
    if value[0] in "'\"{" or "${" in value or FUNCTION.match(value):
        return word
    flat = LIST.fullmatch(value)
    parsed = _parse(word)
    if parsed is not None and not sweep and _is_other_path(parsed, value):
        return f"{key}={quoted(value)}"
    if parsed is None:
        if value[0] == "[" and flat is None:
            return word
        parts = flat[1].split(",") if flat else value.split(",") if sweep else [value]
        joined = ",".join(
            part if _parse(f"{key}={part.strip()}") else quoted(part.strip()) for part in parts
        )
        fixed = f"{key}=[{joined}]" if flat else f"{key}={joined}"
        return word if _parse(fixed) is None else _quote_numbers(fixed, types)
    return _quote_numbers(word, types)


def _is_other_path(parsed: Override, typed: str) -> bool:
    """Whether what was typed names a file or folder, but would be read as another text or several:
    commas, spaces around it."""
    other = parsed.is_sweep_override() or (
        isinstance(parsed.value(), str) and parsed.value() != typed
    )
    return other and Path(typed).expanduser().exists()


def _quote_numbers(word: str, types: Types) -> str:
    """The word with quotes around numbers and words of YAML where the key takes text alone."""
    key, _, value = word.partition("=")
    flat = LIST.fullmatch(value)
    parts = [part.strip() for part in (flat[1] if flat else value).split(",")]
    parsed = [_parse(f"{key}={part}") for part in parts]
    if not any(each and isinstance(each.value(), (bool, int, float)) for each in parsed):
        return word
    annotation = types(key.lstrip("+"))
    if annotation is None:
        return word

    def text(part: str, override: Override | None) -> str:
        if override is None or not isinstance(override.value(), (bool, int, float)):
            return part
        value, typed = ([override.value()], [part]) if flat else (override.value(), part)
        return quoted(part) if not _fits(annotation, value) and _fits(annotation, typed) else part

    joined = ",".join(text(*each) for each in zip(parts, parsed, strict=True))
    return f"{key}=[{joined}]" if flat else f"{key}={joined}"


def _parse(word: str) -> Override | None:
    """The override; None where the grammar does not take it."""
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def _fits(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True
