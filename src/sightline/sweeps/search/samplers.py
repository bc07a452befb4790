"""Optuna's samplers and pruners by name, and the study."""

import importlib.util
import inspect
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sightline.errors import UserError, did_you_mean, first_line
from sightline.io.secrets import hide_password
from sightline.io.sqlite import SQLITE, check_sqlite

try:
    import optuna
    from optuna import pruners, samplers
except ModuleNotFoundError as error:
    if error.name != "optuna":
        raise
    raise UserError(
        "hydra/sweeper=optuna needs Optuna: pip install 'sightline[search]'."
    ) from error

Direction = Literal["minimize", "maximize"]
SAMPLERS = {
    "tpe": samplers.TPESampler,
    "random": samplers.RandomSampler,
    "gp": samplers.GPSampler,
    "cmaes": samplers.CmaEsSampler,
    "qmc": samplers.QMCSampler,
    "nsgaii": samplers.NSGAIISampler,
    "nsgaiii": samplers.NSGAIIISampler,
    "bruteforce": samplers.BruteForceSampler,
}
PRUNERS = {
    "none": pruners.NopPruner,
    "median": pruners.MedianPruner,
    "percentile": pruners.PercentilePruner,
    "successive_halving": pruners.SuccessiveHalvingPruner,
    "hyperband": pruners.HyperbandPruner,
    "threshold": pruners.ThresholdPruner,
}
NEEDS = {"cmaes": "cmaes", "gp": "scipy"}  # packages that Optuna does not require
ONE_SEQUENCE = ("qmc",)  # its points are one sequence of one seed


def quiet() -> None:
    """Silence Optuna's log and its warnings, such as those of experimental classes."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def make_sampler(
    name: str, options: Mapping[str, Any], seed: int, number: int
) -> samplers.BaseSampler:
    """The sampler of trial `number`.

    Each trial has one of its own, seeded by its number: after a restart the next trial is sampled
    as it would have been without, and the first ones are not sampled again.

    Raises:
        UserError: there is no such sampler, or it does not take such options.
    """
    entropy = [seed] if name in ONE_SEQUENCE else [seed, number]
    own = {"seed": int(np.random.SeedSequence(entropy).generate_state(1)[0])}
    return _make(SAMPLERS, "sampler", name, options, own)


def make_pruner(name: str, options: Mapping[str, Any]) -> pruners.BasePruner:
    """The pruner of that name.

    Raises:
        UserError: there is none, or it does not take such options.
    """
    return _make(PRUNERS, "pruner", name, options, {})


def _make(
    known: Mapping[str, Any], kind: str, name: str, options: Mapping[str, Any],
    own: Mapping[str, Any],
) -> Any:  # fmt: skip
    if name not in known:
        raise UserError(
            f"hydra.sweeper.{kind}={name}: no such {kind}.{did_you_mean(name, known)} "
            f"There are: {', '.join(known)}."
        )
    takes = inspect.signature(known[name]).parameters
    for key in options:
        if key not in takes:
            raise UserError(
                f"hydra.sweeper.{kind}_options.{key}: {known[name].__name__} takes no such "
                f"argument.{did_you_mean(key, takes)}"
            )
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        raise UserError(f"hydra.sweeper.{kind}={name} needs a package: pip install {NEEDS[name]}.")
    given = {key: value for key, value in own.items() if key in takes} | dict(options)
    try:
        return known[name](**given)
    except (TypeError, ValueError) as error:
        raise UserError(f"hydra.sweeper.{kind}={name}: {error}") from error


def open_study(
    name: str, storage: str, directions: Sequence[Direction], pruner: pruners.BasePruner, new: bool
) -> optuna.Study:
    """The study, made where it is new.

    Args:
        name: the study's, in its storage.
        storage: a database URL.
        directions: minimize or maximize, for each objective.
        pruner: of the study.
        new: whether it must not exist yet.

    Raises:
        UserError: the database cannot be used, or has another study of that name.
    """
    if storage.startswith(SQLITE):
        check_sqlite(Path(storage.removeprefix(SQLITE).partition("?")[0]))
    try:
        database = optuna.storages.RDBStorage(storage)
        return optuna.create_study(
            study_name=name, storage=database, directions=list(directions), pruner=pruner,
            load_if_exists=not new,
        )  # fmt: skip
    except optuna.exceptions.DuplicatedStudyError as error:
        raise UserError(
            f"hydra.sweeper.study_name={name}: {hide_password(storage)} has a study of that name, "
            "of another search. Choose another name."
        ) from error
    except ImportError as error:
        raise UserError(
            f"{hide_password(storage)}: its driver is not installed: {error}"
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("sqlalchemy", "optuna"):
            raise
        line = hide_password(first_line(error))
        raise UserError(
            f"hydra.sweeper.storage={hide_password(storage)} cannot be used: {line}"
        ) from error
