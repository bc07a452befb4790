"""Types in words, as a person writes their values in YAML."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

NAMES: dict[Any, str] = {
    NoneType: "null", str: "text", bool: "true, false", int: "integer", float: "number",
    Path: "path", Any: "", object: "",
}  # fmt: skip
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def type_name(annotation: Any) -> str:
    """A type in words; empty where it says nothing."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _with_bounds(type_name(parts[0]), parts[1:])
    if origin is Literal:
        return ", ".join(str(part).lower() if isinstance(part, bool) else str(part)
                         for part in parts)  # fmt: skip
    if origin in (Union, UnionType):
        return ", ".join(dict.fromkeys(filter(None, map(type_name, parts))))
    if origin is tuple and not (len(parts) == 2 and parts[1] is Ellipsis):
        return f"[{', '.join(map(type_name, parts))}]"
    if origin in (list, tuple, Sequence):
        return f"list of: {type_name(parts[0])}".removesuffix(" of: ")
    if annotation in (list, tuple) or origin in (dict, Mapping) or annotation is dict:
        return "mapping" if origin in (dict, Mapping) or annotation is dict else "list"
    return NAMES.get(annotation, getattr(annotation, "__name__", ""))


def _with_bounds(name: str, metadata: Sequence[Any]) -> str:
    bounds = [
        f"{sign} {getattr(each, word)}"
        for part in metadata
        for each in (part, *getattr(part, "metadata", ()))
        for word, sign in SIGNS.items()
        if isinstance(getattr(each, word, None), (int, float))
    ]
    return " ".join([name, *bounds])
