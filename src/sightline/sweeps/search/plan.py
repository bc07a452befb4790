"""A search planned: its spaces, its objectives, and the configs that it was launched with."""

import shutil
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig

from sightline.config.components import check_components
from sightline.config.compose import compose_frozen
from sightline.config.schema import Job, TrainConfig
from sightline.errors import UserError
from sightline.io.secrets import hide_password
from sightline.metrics.monitor import monitor_mode
from sightline.paths import config_folders
from sightline.sweeps.overrides import parse
from sightline.sweeps.plan import by_monitor, check_alone
from sightline.sweeps.search.spaces import Space, read_spaces, samples
from sightline.sweeps.sweep import Sweep, another_sweep, new_name, read_launch, write_launch

DIRECTIONS: tuple[Literal["minimize"], Literal["maximize"]] = ("minimize", "maximize")


@dataclass(frozen=True)
class SearchOptions:
    """What `conf/hydra/sweeper/optuna.yaml` explains."""

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


@dataclass
class Search:
    """A search.

    Attributes:
        sweep: its folder and its trials' jobs.
        options: as given.
        fixed: words that hold for every trial.
        spaces: what is searched.
        configs: copies of the folders of configs.
        study_name: in its storage.
        sample: the config of a trial, which says what all have in common.
    """

    sweep: Sweep
    options: SearchOptions
    fixed: list[str]
    spaces: list[Space]
    configs: list[Path]
    study_name: str
    sample: TrainConfig

    @property
    def storage(self) -> str:
        """The database of the study."""
        return self.options.storage or f"sqlite:///{self.sweep.folder / 'optuna.db'}"

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        """minimize or maximize, for each objective."""
        return [DIRECTIONS[maximise] for _, maximise in self.sweep.objectives]

    def compose(self, words: Sequence[str], number: int) -> tuple[TrainConfig, Job]:
        """The job of a trial, by the configs as they were at the launch."""
        folder = self.sweep.folder / str(number)
        given = [*self.fixed, *words]
        return compose_frozen(self.configs, given, folder, self.sweep.name, sys.argv[1:])


def plan_search(
    loader: Any, config: DictConfig, params: Mapping[str, Any], arguments: list[str],
    options: SearchOptions,
) -> Search:  # fmt: skip
    """Check everything that can be checked before the first trial; nothing is written yet.

    Raises:
        UserError: a space, an option or a config is wrong, or the folder holds another sweep.
    """
    check_alone()
    _check_options(options)
    fixed, spaces = read_spaces(parse(loader, params, arguments))
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    stored = read_launch(folder, "search")
    name = stored["name"] if stored else new_name(folder)
    now = config_folders(sys.argv[1:])
    kept = [folder / "conf" / str(index) for index in range(len(now))]
    configs = kept if stored else now
    checked = []
    for words in samples(spaces, fixed):
        given = [*fixed, *words]
        sample, job = compose_frozen(configs, given, folder / "0", name, sys.argv[1:])
        check_components(sample)
        checked.append((sample, job))
    sample, job = checked[0]
    objectives = _objectives(options, sample)
    study_name = options.study_name or f"{folder.name}-{uuid.uuid4().hex[:8]}"
    sweep = Sweep(
        folder, name, job.command, [], stored is None, sample.sweep.max_failures, sample.tracking,
        objectives,
    )  # fmt: skip
    search = Search(sweep, options, fixed, spaces, kept, study_name, sample)
    if stored is not None:
        _check_same(stored, search)
        search.study_name = stored["study_name"]
    return search


def launch_search(search: Search) -> None:
    """Keep the configs and what the search is: from here on it is launched."""
    sweep = search.sweep
    if sweep.new:
        shutil.rmtree(sweep.folder / "conf", ignore_errors=True)  # of a launch that was cut short
        for source, copy in zip(config_folders(sys.argv[1:]), search.configs, strict=True):
            shutil.copytree(source, copy)
    write_launch(sweep, {"kind": "search", "study_name": search.study_name} | _identity(search))


def _identity(search: Search) -> dict[str, Any]:
    """What makes it this search and no other."""
    fixed = [word for word in search.fixed if not word.startswith(("tracking.", "sweep."))]
    return {
        "spaces": sorted(space.text for space in search.spaces),
        "fixed": sorted(fixed),
        "objectives": [[name, DIRECTIONS[maximise]] for name, maximise in search.sweep.objectives],
        "storage": hide_password(search.storage),
    }


def _check_same(stored: dict[str, Any], search: Search) -> None:
    for key, value in _identity(search).items():
        if stored[key] != value:
            raise another_sweep(
                search.sweep.folder, stored, f"its {key}: {stored[key]}; of this one: {value}"
            )


def _check_options(options: SearchOptions) -> None:
    n_trials = options.n_trials
    if not isinstance(n_trials, int) or isinstance(n_trials, bool) or n_trials < 1:
        said = " is missing" if n_trials is None else f"={n_trials}"
        raise UserError(
            f"hydra.sweeper.n_trials{said}: give how many trials there are to be in all, such as "
            "hydra.sweeper.n_trials=20."
        )
    directions = _listed(options.direction)
    if not directions or not set(directions) <= set(DIRECTIONS):
        said = " is missing" if not directions else f"={options.direction}"
        raise UserError(
            f"hydra.sweeper.direction{said}: say whether the objective is to be small or large, "
            "minimize or maximize (for several objectives a list, [maximize,minimize])."
        )
    if not isinstance(options.seed, int) or options.seed < 0:
        raise UserError(f"hydra.sweeper.seed={options.seed}: expected a whole number from 0.")


def _objectives(options: SearchOptions, sample: TrainConfig) -> list[tuple[str, bool]]:
    """Each objective, and whether more of it is better."""
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
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(each) for each in value]
