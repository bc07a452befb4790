"""Components: objects built from config nodes with `_target_`; the one place that instantiates.

A node is checked against its target's own signature before anything is built, so that a misspelt
or missing argument and a wrong type are found at the start and named by their place in the config.
"""

import importlib
import inspect
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from hydra.utils import instantiate
from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from sightline.config.schema import DataConfig, ModelInputConfig, TrainConfig
from sightline.config.validation import without
from sightline.errors import UserError, did_you_mean

# A config can come from a stranger's checkpoint: it may name only what builds models and training.
TRUSTED = (
    "sightline.data.sources",
    "sightline.label_modes",
    "sightline.models",
    "sightline.reports",
    "sightline.training",
    "torch.nn",
    "torch.optim",
    "torchvision.transforms.v2",
    "kornia.augmentation",
    "pytorch_lightning.Trainer",
)


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
        plugins: packages whose classes may be named, beside `TRUSTED`.
        required: arguments that Sightline gives; the config may not.
        offered: arguments that Sightline gives when the target's signature has them.

    Raises:
        UserError: the target is not trusted or does not exist, or its arguments do not fit.
    """
    given = check_node(node, where, plugins, required, offered)
    # Hydra copies what it passes on (a dataclass arrives as a dict), so it only fills in the
    # config's own values, and Sightline's objects are passed by the call.
    make = instantiate(dict(node), _partial_=True, _convert_="all")
    try:
        return make(**given)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {node['_target_']} refused: {error}") from error


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
    for name, value in (offered or {}).items():
        if accepts(target, name):
            given[name] = value
    _check_arguments(target, node, where, given)
    for key, value in node.items():
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, Mapping) and "_target_" in child:
                place = f"{where}.{key}" + (f"[{index}]" if isinstance(value, list) else "")
                _check_arguments(locate(child, place, plugins), child, place, {})
    return given


def check_components(config: TrainConfig) -> None:
    """Check every component's name, arguments and their types, without building anything.

    Raises:
        UserError: what `build` would say of them.
    """
    nodes = {
        "data": without(config.data, DataConfig),
        "model": without(config.model, ModelInputConfig),
    }
    names = ("label_mode", "loss", "optimizer", "scheduler", "trainer", "mix")
    nodes |= {name: getattr(config, name) for name in names}
    for name in ("transforms", "batch_transforms"):
        listed = getattr(config.augment, name) or []
        nodes |= {f"augment.{name}[{index}]": node for index, node in enumerate(listed)}
    for where, node in nodes.items():
        if node:
            _check_own(locate(node, where, config.plugins), node, where, {})


def locate(node: Mapping[str, Any], where: str, plugins: Iterable[str]) -> Any:
    """The class or function that `node['_target_']` names, if its package is trusted."""
    path = str(node["_target_"])
    packages = [*TRUSTED, *plugins]
    if not any(path == package or path.startswith(f"{package}.") for package in packages):
        package = path.split(".")[0]
        raise UserError(
            f"{where}._target_={path}: the package {package!r} is not trusted by this config. "
            f"If you installed it and mean it, add plugins=[{package}]."
        )
    module_name, _, attribute = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise  # the user's module exists, and itself imports something that does not
        raise UserError(
            f"{where}._target_={path}: no module {error.name!r} is installed."
        ) from error
    if not hasattr(module, attribute):
        hint = did_you_mean(attribute, vars(module))
        raise UserError(f"{where}._target_={path}: {module_name} has no {attribute!r}.{hint}")
    return getattr(module, attribute)


def accepts(target: Any, name: str) -> bool:
    """Whether `target` takes an argument called `name`."""
    parameters = inspect.signature(target).parameters
    return name in parameters or any(p.kind == p.VAR_KEYWORD for p in parameters.values())


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


def hints_of(target: Any) -> dict[str, Any]:
    """The annotations of a target's arguments; empty where they cannot be evaluated."""
    function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        return {}  # annotations that cannot be evaluated: the target itself is left to judge


def _check_type(hint: Any, value: Any, where: str) -> None:
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
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
