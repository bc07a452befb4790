"""The options of a search, checked, and its objectives."""

from dataclasses import dataclass
from typing import Any, Literal

from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.metrics.monitor import monitor_mode
from sightline.sweeps.plan import by_monitor

DIRECTIONS: tuple[Literal["minimize"], Literal["maximize"]] = ("minimize", "maximize")


@dataclass(frozen=True)
class SearchOptions:
    """The options of a search; `conf/hydra/sweeper/optuna.yaml` describes each."""

    n_trials: int
    direction: str | list[str]
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
    directions = _listed(options.direction)
    if not directions or not set(directions) <= set(DIRECTIONS):
        found = " is missing" if not directions else f"={options.direction}"
        raise UserError(
            f"hydra.sweeper.direction{found}: say whether the objective is to be small or large, "
            "minimize or maximize (for several objectives a list, [maximize,minimize])."
        )
    if not isinstance(options.seed, int) or options.seed < 0:
        raise UserError(f"hydra.sweeper.seed={options.seed}: expected a whole number from 0.")


def read_objectives(options: SearchOptions, sample: TrainConfig) -> list[tuple[str, bool]]:
    """Each objective, and whether higher is better.

    Args:
        options: of the search.
        sample: the config of a trial, which names the monitored metric.

    Raises:
        UserError: the directions do not fit the objectives, the monitor or the pruner.
    """
    names, directions = _listed(options.objective), _listed(options.direction)
    monitored, maximise = by_monitor(sample)
    if not names:
        names = [monitored]
    if len(names) != len(directions):
        raise UserError(
            f"hydra.sweeper.direction={options.direction}: expected one for each objective "
            f"({', '.join(names)}); name several with hydra.sweeper.objective=[...]."
        )
    objectives = [
        (name, direction == DIRECTIONS[True])
        for name, direction in zip(names, directions, strict=True)
    ]
    if (monitored, not maximise) in objectives:
        raise UserError(
            f"hydra.sweeper.direction={options.direction} contradicts monitor={sample.monitor}, "
            f"where {'higher' if maximise else 'lower'} is better (monitor_mode="
            f"{monitor_mode(sample)}). Set monitor to the metric that the search is for."
        )
    if options.pruner != "none" and (len(names) > 1 or not names[0].startswith("val_best/")):
        raise UserError(
            f"hydra.sweeper.pruner={options.pruner}: trials are pruned by one objective that is "
            f"measured at each validation, val_best/...; not by {', '.join(names)}."
        )
    return objectives


def _listed(value: Any) -> list[str]:
    """One value or a list of them as a list of text; None as none."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(each) for each in value]
