"""Targets: what `_target_` may name at each place of a config, found by Sightline's own rules.

A config can come from a stranger. Hydra resolves a name by walking attributes from module to
module, so that one that begins like an allowed name can end anywhere. Here it is a public class or
function of a module, which counts by the module that defines it, and makes what its place takes.
"""

import importlib
import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sightline.errors import UserError, did_you_mean

MODULE = "torch.nn.modules.module.Module"
PUBLIC = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True)
class ConfigPlace:
    """What one place of the config takes, beside what plugins define.

    Attributes:
        takes: its objects, for a message.
        homes: packages whose classes and functions it takes, and the full name of the class whose
            objects they make.
        strict: whether a plugin's class must be of the same kind; else it is any callable.
        argument: that Sightline's own functions of this kind have. Others in the same package make
            such objects too, and may read files or download.
    """

    takes: str
    homes: Mapping[str, str]
    strict: bool = True
    argument: str | None = None


PLACES = {
    "data": ConfigPlace(
        "a data source", {"sightline.data.sources": "sightline.data.source_data.SourceData"}, False
    ),
    "label_mode": ConfigPlace(
        "a label mode", {"sightline.label_modes": "sightline.label_modes.base.LabelMode"}
    ),
    "model": ConfigPlace(
        "a torch module", {"sightline.models": MODULE, "torch.nn": MODULE}, argument="num_classes"
    ),
    "loss": ConfigPlace(
        "a loss",
        {"sightline.training.losses": MODULE, "torch.nn": "torch.nn.modules.loss._Loss"},
        False,
    ),
    "method": ConfigPlace(
        "a method", {"sightline.training.methods": "sightline.training.methods.base.Method"}
    ),
    "callbacks": ConfigPlace(
        "a callback",
        {"pytorch_lightning.callbacks": "pytorch_lightning.callbacks.callback.Callback"},
    ),
    "optimizer": ConfigPlace("an optimizer", dict.fromkeys(
        ("torch.optim", "sightline.training.named_optimizers", "sightline.training.schedule_free"),
        "torch.optim.optimizer.Optimizer"
    )),
    "scheduler": ConfigPlace("a scheduler", dict.fromkeys(
        ("sightline.training.schedulers", "torch.optim.lr_scheduler"),
        "torch.optim.lr_scheduler.LRScheduler",
    )),
    "trainer": ConfigPlace(
        "a Trainer", {"pytorch_lightning": "pytorch_lightning.trainer.trainer.Trainer"}
    ),
    "augment": ConfigPlace(
        "a transform",
        dict.fromkeys(
            ("torchvision.transforms.v2", "kornia.augmentation", "sightline.data.augmentations"),
            MODULE,
        ),
        False,
    ),
    "augment.geometry": ConfigPlace(
        "a training geometry",
        {"sightline.data.geometries": "sightline.data.geometries.base.TrainingGeometry"},
    ),
    "mix": ConfigPlace(
        "a transform", {"torchvision.transforms.v2": MODULE, "kornia.augmentation": MODULE}, False
    ),
    "report": ConfigPlace(
        "a section", {"sightline.reports.sections": "sightline.reports.parts.Section"}, False
    ),
}  # fmt: skip


def locate(node: Mapping[str, Any], where: str, plugins: Iterable[str]) -> Any:
    """The class or function that `node['_target_']` names, if its place takes it.

    Args:
        node: with `_target_`.
        where: the node's place in the config.
        plugins: packages whose classes and functions may be named too.

    Raises:
        UserError: there is none of this name, it may not be named, or makes something else.
    """
    path = node.get("_target_")
    place = PLACES.get(where) or PLACES[re.split(r"[.\[]", where, maxsplit=1)[0]]
    allowed = [*place.homes, *plugins]
    shown = f"{where}._target_={path}"
    if not isinstance(path, str) or not all(map(PUBLIC.fullmatch, path.split("."))):
        raise UserError(f"{shown}: expected the public name of a class or function.")
    if not _home(path, allowed):
        raise _untrusted(shown, path, place)
    found = _attribute(path, shown)
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if not callable(found) or not isinstance(module, str) or not isinstance(name, str):
        raise UserError(f"{shown}: expected a class or function, but it is neither.")
    home = _home(module, allowed)
    if home is None or not PUBLIC.fullmatch(name):
        raise _untrusted(f"{shown} (defined in {module})", module, place)
    if not _makes(found, home, place):
        raise UserError(f"{shown}: {where} takes {place.takes}, which this does not make.")
    return found


def takes(target: Any, name: str) -> bool:
    """Whether `target` takes an argument called `name`."""
    parameters = inspect.signature(target).parameters
    return name in parameters or any(p.kind == p.VAR_KEYWORD for p in parameters.values())


def hints_of(target: Any) -> dict[str, Any]:
    """The annotations of a target's arguments; empty where they cannot be evaluated."""
    function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        return {}  # annotations that cannot be evaluated: the target itself is left to judge


def _home(name: str, packages: Iterable[str]) -> str | None:
    """The package that a module or an attribute belongs to."""
    return next((each for each in packages if f"{name}.".startswith(f"{each}.")), None)


def _untrusted(shown: str, path: str, place: ConfigPlace) -> UserError:
    package = path.partition(".")[0]
    if any(home.partition(".")[0] == package for home in place.homes):
        return UserError(
            f"{shown}: here it could run any code. Expected {place.takes} of "
            f"{' or '.join(place.homes)}."
        )
    return UserError(
        f"{shown}: the package {package!r} is not trusted by this config, and could run any code. "
        f"If you installed it and mean it, add plugins=[{package}]."
    )


def _attribute(path: str, shown: str) -> Any:
    """An attribute of a module, which is imported; never of anything else."""
    name, _, attribute = path.rpartition(".")
    try:
        module: ModuleType = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise  # the user's module exists, and itself imports something that does not
        raise UserError(f"{shown}: no module {error.name!r} is installed.") from error
    if not hasattr(module, attribute):
        raise UserError(
            f"{shown}: {name} has no {attribute!r}.{did_you_mean(attribute, vars(module))}"
        )
    return getattr(module, attribute)


def _makes(target: Any, home: str, place: ConfigPlace) -> bool:
    """Whether a class's objects, or what a function returns, are what the place takes."""
    own = home in place.homes
    kind = place.homes[home] if own else next(iter(place.homes.values()))
    made = target if inspect.isclass(target) else hints_of(target).get("return")
    if not inspect.isclass(made):
        return not own  # a plugin's function need not say what it returns
    if place.argument and home.startswith("sightline.") and not takes(target, place.argument):
        return False
    is_kind = any(f"{each.__module__}.{each.__qualname__}" == kind for each in made.__mro__)
    return is_kind or not (own or place.strict)
