"""The options of a search, checked, and its objectives."""

from dataclasses import dataclass
from typing import Any, Literal

from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.metrics.monitor import direction_of
from sightline.sweeps.sweep import by_monitor

DIRECTIONS: tuple[Literal["minimize"], Literal["maximize"]] = ("minimize", "maximize")


@dataclass(frozen=True)
class SearchOptions:
    """The options of a search; `conf/hydra/sweeper/optuna.yaml` describes each."""

    n_trials: int
    direction: str | list[str | None] | None
    objective: str | list[str] | None
    sampler: str
    sampler_options: dict[str, Any]
    pruner: str
    pruner_options: dict[str, Any]
    seed: int
    storage: str | None
    study_name: str | None


def check_search_options(options: SearchOptions) -> None:
    """Check the number of trials, the directions and the seed.

    Raises:
        UserError: names the option that is wrong.
    """
    n_trials = options.n_trials
    if not isinstance(n_trials, int) or isinstance(n_trials, bool) or n_trials < 1:
        found = " is missing" if n_trials is None else f"={n_trials}"
        raise UserError(
            f"hydra.sweeper.n_trials{found}: give how many trials there are to be in all, such as "
            "hydra.sweeper.n_trials=20."
        )
    directions = [each for each in _listed(options.direction) if each is not None]
    if not set(directions) <= set(DIRECTIONS):
        raise UserError(
            f"hydra.sweeper.direction={options.direction}: expected minimize or maximize, for "
            "several objectives a list ([maximize,minimize]), or null, as the metric says."
        )
    if not isinstance(options.seed, int) or options.seed < 0:
        raise UserError(f"hydra.sweeper.seed={options.seed}: expected a whole number from 0.")


def read_objectives(options: SearchOptions, sample: TrainConfig) -> list[tuple[str, bool]]:
    """Each objective, and whether higher is better, which follows from the metric if it is known.

    Args:
        options: of the search.
        sample: the config of a trial, which names the monitored metric.

    Raises:
        UserError: the directions do not fit the objectives or their metrics, or one is missing; the
            objectives do not fit the pruner.
    """
    monitored, _ = by_monitor(sample)  # refused where the config contradicts the metric
    names = [str(name) for name in _listed(options.objective)] or [monitored]
    directions = _listed(options.direction) or [None] * len(names)
    if len(names) != len(directions):
        raise UserError(
            f"hydra.sweeper.direction={options.direction}: expected one for each objective "
            f"({', '.join(names)}); name several with hydra.sweeper.objective=[...]."
        )
    if options.pruner != "none" and (len(names) > 1 or not names[0].startswith("val_best/")):
        raise UserError(
            f"hydra.sweeper.pruner={options.pruner}: trials are pruned by one objective that is "
            f"measured at each validation, val_best/...; not by {', '.join(names)}."
        )
    return [
        (name, _is_maximised(name, given, sample))
        for name, given in zip(names, directions, strict=True)
    ]


def _is_maximised(name: str, given: str | None, sample: TrainConfig) -> bool:
    """Whether an objective is to be large.

    Args:
        name: of the objective.
        given: its direction; None: the metric's own.
        sample: the config of a trial.

    Raises:
        UserError: the direction contradicts the metric, or is missing and the metric not known.
    """
    known = direction_of(name, sample.plugins)
    if known is None and name == by_monitor(sample)[0]:
        known = sample.monitor_mode
    own = None if known is None else DIRECTIONS[known == "max"]
    if given is None and own is None:
        raise UserError(
            f"hydra.sweeper.direction is missing: the metrics that Sightline knows have no {name}, "
            "so say whether it is to be small or large, minimize or maximize (for several "
            "objectives a list, [maximize,minimize], with null where the metric says it)."
        )
    if given is not None and own not in (None, given):
        better = "higher" if known == "max" else "lower"
        raise UserError(
            f"hydra.sweeper.direction={given} contradicts {name}, where {better} is better: leave "
            "the direction out, or set monitor or hydra.sweeper.objective to the metric that the "
            "search is for."
        )
    return (given or own) == DIRECTIONS[True]


def _listed(value: Any) -> list[Any]:
    """One value or a list of them as a list; None as none."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
