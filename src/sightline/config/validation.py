"""Validation of values against pydantic models, with one message that names every wrong field."""

import math
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from PIL import ImageColor
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from sightline.errors import UserError, did_you_mean

T = TypeVar("T", bound=BaseModel)
Node = dict[str, Any]  # a node with `_target_`, checked against the target's own signature


class Strict(BaseModel):
    """A part of the config: its keys are known, and do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def pick(node: Node, kind: type[BaseModel]) -> Node:
    """The entries of `node` that are fields of `kind`."""
    return {key: value for key, value in node.items() if key in kind.model_fields}


def without(node: Node, *kinds: type[BaseModel]) -> Node:
    """`node` without the fields of these kinds."""
    fields = {name for kind in kinds for name in kind.model_fields}
    return {key: value for key, value in node.items() if key not in fields}


def colour(name: str) -> str:
    """A colour's name that Pillow knows; a ValueError with the nearest one otherwise."""
    try:
        ImageColor.getrgb(name)
    except ValueError as error:
        hint = did_you_mean(name, ImageColor.colormap)  # goes to the end of the message
        raise PydanticCustomError(
            "colour", "a colour's name, such as white, or #rrggbb", {"hint": hint}
        ) from error
    return name


def ascending(ends: list[float]) -> list[float]:
    """Two finite numbers, the lower one first; a ValueError otherwise."""
    if len(ends) != 2 or not -math.inf < ends[0] < ends[1] < math.inf:
        raise PydanticCustomError("ascending", "two numbers, the lower one first: [LOW,HIGH]")
    return ends


def first_problem(error: ValidationError) -> str:
    """The place and the words of the first wrong value."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"][:2]))
    return f"{place}: {first['msg']}, but got {first['input']!r:.80}"


def validate(kind: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """`values` as a `kind`; a UserError that names every wrong field otherwise."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError("\n".join(_lines(kind, error.errors(), prefix))) from error


def _lines(kind: type[BaseModel], problems: list[Any], prefix: str) -> list[str]:
    """One line for each wrong field, also where it may be of several types."""
    lines: list[str] = []
    expected: dict[tuple[str, str, str], list[str]] = {}
    for problem in problems:
        line, place = _describe(kind, problem, prefix)
        if place is None:
            lines.append(line)
        else:
            given = place, repr(problem["input"]), problem.get("ctx", {}).get("hint", "")
            expected.setdefault(given, []).append(line)
    for (place, value, hint), each in expected.items():
        kinds = " or ".join(dict.fromkeys(each))
        lines.append(f"{place}: expected {kinds}, but got {value}.{hint}")
    return list(dict.fromkeys(lines))


def _describe(kind: type[BaseModel], problem: Any, prefix: str) -> tuple[str, str | None]:
    """What is wrong, and None; or what was expected, and of which field."""
    path = [str(part) for part in problem["loc"] if str(part).isidentifier()]
    # A union names the branch that failed last; the field is what the user knows.
    path = [part for part in path if not part.startswith(("literal", "constrained"))]
    if problem["type"] == "extra_forbidden":
        owner: Any = kind
        for part in path[:-1]:
            owner = owner.model_fields[part].annotation
            owner = next(iter(get_args(owner)), owner)  # of a list, what is in it
        siblings = ["".join([f"{p}." for p in path[:-1]]) + f for f in owner.model_fields]
        key = ".".join(path)
        return f"Unknown key {prefix + key!r}.{did_you_mean(key, siblings)}", None
    if problem["type"] == "missing":
        return f"The key {prefix + '.'.join(path)!r} is missing from the config.", None
    expected = problem["msg"].removeprefix("Input should be ")
    return expected, f"{prefix}{'.'.join(path[:2])}"
