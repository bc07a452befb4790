"""The page of all config keys: names and defaults from YAML, meanings from its comments, types from
the dataclasses and signatures that read them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

from generate.config_file import ConfigFile, read_config_file
from generate.docstrings import argument_meanings
from generate.markdown import cell, code, table
from generate.type_names import type_name
from sightline.config.schema import (
    MODEL_COMMON,
    AugmentConfig,
    DataConfig,
    OptimizerConfig,
    TrackingConfig,
    TrainConfig,
    TrainerSpeedConfig,
)
from sightline.config.targets import PLACES, hints_of, locate
from sightline.errors import UserError
from sightline.paths import conf_dir

INTRODUCTION = """\
# Config keys

A training is one config. `sightline train GROUP=OPTION` picks a file of a group,
`sightline train KEY=VALUE` changes a value, and `sightline train --cfg job` prints the whole config
without training. A default that is listed by *scratch*, *whole*, *head* and *lora* follows from
what learns: all of a network without pretrained weights, all of one with them, its head alone, or
low-rank updates.
"""
COMMON: dict[str, tuple[type[BaseModel], ...]] = {
    "data": (DataConfig,), "model": MODEL_COMMON, "optimizer": (OptimizerConfig,),
    "trainer": (TrainerSpeedConfig,), "augment": (AugmentConfig,), "tracking": (TrackingConfig,),
}  # fmt: skip
HEADS = ("key", "type", "default", "meaning")
NODE_KEYS = ("_target_", "_partial_")


def config_page() -> str:
    """The page in Markdown."""
    root = read_config_file(conf_dir() / "train.yaml")
    root.values.pop("hydra")
    parts = [INTRODUCTION, "## Top level\n", _table(root, "", (TrainConfig,), {})]
    for group in _groups():
        parts += list(_group(group))
    return "\n".join(parts)


def _groups() -> list[str]:
    """The folders with options; recipes have a page of their own."""
    folders = {path.parent for path in conf_dir().glob("**/*.yaml")} - {conf_dir()}
    names = sorted(str(folder.relative_to(conf_dir())) for folder in folders)
    return [name for name in names if name != "experiment"]


def _group(group: str) -> Iterator[str]:
    yield f"## {group}\n"
    common = conf_dir() / f"{group}_common.yaml"
    kinds = COMMON.get(group, ())
    prefix = f"{group.replace('/', '.')}."
    files = [*common.parent.glob(common.name), *sorted((conf_dir() / group).glob("*.yaml"))]
    meanings = {
        k: v for path in reversed(files) for k, v in read_config_file(path).meanings.items()
    }
    if common.exists():
        shared = read_config_file(common)
        yield f"### Every {group}\n"
        yield from _about(shared)
        yield _table(shared, prefix, kinds, {})
    for path in sorted((conf_dir() / group).glob("*.yaml")):
        file = read_config_file(path)
        yield f"### {group}={path.stem}\n"
        yield from _about(file)
        yield _table(file, prefix, kinds, meanings)


def _about(file: ConfigFile) -> Iterator[str]:
    if file.about:
        yield f"{file.about[0].upper()}{file.about[1:]}".rstrip(".") + ".\n"
    if isinstance(name := file.values.get("_target_"), str):
        yield f"Builds `{name}`.\n"


def _targets(values: Mapping[str, Any], where: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """What a node and the nodes within it build, each with the prefix of its keys."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _targets(value, where, f"{prefix}{name}.")
    if "_target_" in values and where in PLACES:
        with suppress(UserError):  # an extra that is not installed brings it
            yield prefix, locate(values, where, ())


def _table(
    file: ConfigFile, prefix: str, kinds: tuple[type[BaseModel], ...], group: Mapping[str, str]
) -> str:
    """The keys of a file; group: meanings by other files of its group."""
    hints: dict[str, Any] = {}
    meanings = dict(group)
    for kind in kinds:
        meanings |= argument_meanings(kind)
    for start, target in _targets(file.values, prefix.removesuffix(".")):
        hints |= {f"{start}{key}": kind for key, kind in hints_of(target).items()}
        meanings |= {f"{start}{key}": text for key, text in argument_meanings(target).items()}
    meanings |= file.meanings
    rows = []
    for key, value in _leaves(file.values, kinds):
        typed = type_name(_type_of(key, kinds) or hints.get(key))
        meaning = meanings.get(key, "")
        rows.append((code(f"{prefix}{key}"), cell(typed), _default(value), cell(meaning)))
    return table(HEADS, rows)


def _leaves(
    values: Mapping[str, Any], kinds: tuple[type[BaseModel], ...], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Keys with their values; of a mapping that is no component's own value, those within."""
    for name, value in values.items():
        if name in NODE_KEYS:
            continue
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value and _is_nested(key, value, kinds):
            yield from _leaves(value, kinds, f"{key}.")
        else:
            yield key, value


def _is_nested(key: str, value: dict[str, Any], kinds: tuple[type[BaseModel], ...]) -> bool:
    return "_target_" in value or bool(_models(_type_of(key, kinds)))


def _type_of(key: str, kinds: tuple[type[BaseModel], ...]) -> Any:
    """The annotation of a key in pydantic models, with its bounds; None where none has it."""
    name, _, rest = key.partition(".")
    for kind in kinds:
        by_key = {field.alias or own: own for own, field in kind.model_fields.items()}
        if name in by_key:
            found = get_type_hints(kind, include_extras=True)[by_key[name]]
            return _type_of(rest, _models(found)) if rest else found
    return None


def _models(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The pydantic models of an annotation, which may be a union."""
    parts = get_args(annotation) or (annotation,)
    return tuple(p for p in parts if isinstance(p, type) and issubclass(p, BaseModel))


def _default(value: Any) -> str:
    if value == "???":
        return "required"
    if isinstance(value, str) and value.startswith("${fitting:"):
        ways = value.removeprefix("${fitting:{").removesuffix("}}").split(",")
        return cell("; ".join(way.replace(":", " ") for way in ways))
    return code(_yaml(value))


def _yaml(value: Any) -> str:
    """A value on one line, components by the names of their classes."""
    if isinstance(value, dict) and "_target_" in value:
        return str(value["_target_"]).rpartition(".")[2]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_yaml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return '""' if value == "" else str(value)
