"""Components: objects built from config nodes with `_target_`; the one place that instantiates.

A node is checked against its target's own signature before anything is built, so that a misspelt
or missing argument and a wrong type are found at the start and named by their place in the config.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from sightline.config.optimizer_keys import OptimizerConfig
from sightline.config.schema import MODEL_COMMON, DataConfig, TrainConfig
from sightline.config.stored import is_of_hydra
from sightline.config.targets import hints_of, locate, takes
from sightline.config.validation import without
from sightline.errors import UserError, did_you_mean


def build(
    node: Mapping[str, Any],
    where: str,
    plugins: Iterable[str],
    required: Mapping[str, Any] | None = None,
    offered: Mapping[str, Any] | None = None,
) -> Any:
    """The object that `node` describes.

    Args:
        node: a config node with `_target_` and the target's keyword arguments.
        where: the node's place in the config, for messages.
        plugins: packages whose classes may be named, beside those of `PLACES`.
        required: arguments that Sightline gives; the config may not.
        offered: arguments that Sightline gives when the target's signature has them.

    Raises:
        UserError: the target is not trusted or does not exist, or its arguments do not fit.
    """
    given = check_node(node, where, plugins, required, offered)
    return _make(node, where, tuple(plugins), given)


def _make(
    node: Mapping[str, Any], where: str, plugins: tuple[str, ...], given: Mapping[str, Any]
) -> Any:
    target = locate(node, where, plugins)
    own = {k: _made(v, f"{where}.{k}", plugins) for k, v in node.items() if k != "_target_"}
    try:
        return target(**own, **given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{where}: {node['_target_']} refused: {error}") from error


def _made(value: Any, where: str, plugins: tuple[str, ...]) -> Any:
    """A value in which every node, at any depth, is the object that it describes."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            return _make(value, where, plugins, {})
        return {key: _made(child, f"{where}.{key}", plugins) for key, child in value.items()}
    if isinstance(value, list):
        return [_made(child, f"{where}[{i}]", plugins) for i, child in enumerate(value)]
    return value


def check_node(
    node: Mapping[str, Any],
    where: str,
    plugins: Iterable[str],
    required: Mapping[str, Any] | None = None,
    offered: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Find what is wrong with a node without building it; see `build`.

    Returns:
        The arguments that Sightline gives.
    """
    target = locate(node, where, plugins)
    given = dict(required or {})
    for name in given:
        if not takes(target, name):
            raise UserError(f"{where}: {node['_target_']} does not take {name}, which it is given.")
    if not _inherits_init(target):
        given |= {k: value for k, value in (offered or {}).items() if takes(target, k)}
    _check_arguments(target, node, where, given)
    _check_nested(node, where, plugins)
    return given


def check_components(config: TrainConfig) -> None:
    """Check every component's name, arguments and their types, without building anything.

    Raises:
        UserError: what `build` would say of them.
    """
    nodes = {
        "data": without(config.data, DataConfig),
        "model": without(config.model, *MODEL_COMMON),
        "optimizer": without(config.optimizer, OptimizerConfig),
        "trainer": config.trainer_arguments,
    }
    names = ("label_mode", "loss", "method", "scheduler", "mix")
    nodes |= {name: getattr(config, name) for name in names}
    for name in ("transforms", "batch_transforms"):
        listed = getattr(config.augment, name) or []
        nodes |= {f"augment.{name}[{index}]": node for index, node in enumerate(listed)}
    nodes |= {"augment.geometry": config.augment.geometry or {}}
    nodes |= {f"callbacks[{index}]": node for index, node in enumerate(config.callbacks)}
    for where, node in nodes.items():
        if node:
            _check_own(locate(node, where, config.plugins), node, where, {})
            _check_nested(node, where, config.plugins)


def _check_nested(node: Mapping[str, Any], where: str, plugins: Iterable[str]) -> None:
    """Check the nodes inside a node, at every depth."""
    allowed = tuple(plugins)
    for key, value in node.items():
        for place, child in _nodes(value, f"{where}.{key}"):
            _check_arguments(locate(child, place, allowed), child, place, {})


def _nodes(value: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every node in a value, with its place."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield where, value
        for key, child in value.items():
            yield from _nodes(child, f"{where}.{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _nodes(child, f"{where}[{index}]")


def _inherits_init(target: Any) -> bool:
    """Whether a class has but `(*args, **kwargs)`, as torch's Module, which then takes nothing."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(target).parameters.values()
    return (
        inspect.isclass(target) and bool(parameters) and all(p.kind in variable for p in parameters)
    )


def _check_arguments(
    target: Any, node: Mapping[str, Any], where: str, given: Mapping[str, Any]
) -> None:
    _check_own(target, node, where, given)
    for name, parameter in inspect.signature(target).parameters.items():
        named = parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        absent = name not in given and name not in node
        if named and parameter.default is parameter.empty and absent:
            raise UserError(f"A value is missing: {node['_target_']} needs {where}.{name}.")


def _check_own(target: Any, node: Mapping[str, Any], where: str, given: Mapping[str, Any]) -> None:
    """Check what the config itself gives to a target."""
    signature = inspect.signature(target)
    open_ended = any(p.kind == p.VAR_KEYWORD for p in signature.parameters.values())
    own = {key: value for key, value in node.items() if key != "_target_"}
    free = [name for name in signature.parameters if name not in given]
    for key in own:
        if is_of_hydra(key):
            raise UserError(f"{where}.{key}: Sightline builds objects itself; remove Hydra's key.")
        if key in given:
            raise UserError(f"{where}.{key}: Sightline sets this itself; remove it.")
        if key not in free and not open_ended:
            raise UserError(
                f"Unknown key '{where}.{key}': {node['_target_']} takes no such argument."
                f"{did_you_mean(f'{where}.{key}', [f'{where}.{name}' for name in free])}"
            )
    hints = hints_of(target)
    for key, value in own.items():
        if key in hints and not isinstance(value, Mapping):
            _check_type(hints[key], value, f"{where}.{key}")


def _check_type(hint: Any, value: Any, where: str) -> None:
    if any(True for _ in _nodes(value, where)):
        return  # nested nodes, checked on their own
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError):
        return  # not a type that pydantic knows: the target itself is left to judge
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        expected = " or ".join(
            dict.fromkeys(p["msg"].removeprefix("Input should be ") for p in error.errors())
        )
        raise UserError(f"{where}: expected {expected}, but got {value!r}.") from error
