"""The plan of a search: spaces, objectives, and copies of the configs that it is launched with."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from sightline.config.components import check_components
from sightline.config.compose import compose_frozen
from sightline.config.data_addresses import addresses_in, all_addresses
from sightline.config.job_words import with_allowed_download
from sightline.config.schema import TrainConfig
from sightline.config.stored import check_plugins, trusted_plugins
from sightline.data.known_addresses import check_addresses
from sightline.io.secrets import hide_password
from sightline.paths import config_folders
from sightline.runs.folder import RunFolder
from sightline.sweeps.overrides import parse
from sightline.sweeps.plan import check_single_process
from sightline.sweeps.search.grammar import read_spaces
from sightline.sweeps.search.options import (
    DIRECTIONS,
    SearchOptions,
    check_search_options,
    read_objectives,
)
from sightline.sweeps.search.spaces import Space, boundary_samples
from sightline.sweeps.search.tasks import check_label_modes
from sightline.sweeps.sweep import (
    Sweep,
    SweepJob,
    another_sweep,
    new_name,
    open_job,
    read_launch,
    write_launch,
)
from sightline.training.early_checks import check_early


@dataclass
class Search:
    """A search.

    Attributes:
        sweep: the folder, and the jobs of the trials.
        options: as given.
        fixed: overrides of every trial.
        spaces: the values to search.
        sources: folders of configs, Sightline's own first.
        configs: copies of them in the search's folder.
        arguments: the words of the command after `train`.
        study_name: in its storage.
        sample: the config of a trial, for values that all trials share.
        download: whether this command lets the trials download data.
    """

    sweep: Sweep
    options: SearchOptions
    fixed: list[str]
    spaces: list[Space]
    sources: list[Path]
    configs: list[Path]
    arguments: list[str]
    study_name: str
    sample: TrainConfig
    download: bool

    @property
    def storage(self) -> str:
        """The database of the study."""
        return self.options.storage or f"sqlite:///{self.sweep.folder.path / 'optuna.db'}"

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        """minimize or maximize, for each objective."""
        return [DIRECTIONS[maximise] for _, maximise in self.sweep.objectives]

    def compose(self, words: Sequence[str], number: int) -> SweepJob:
        """The job of a trial, by the configs as they were at the launch."""
        folder = self.sweep.folder.path / str(number)
        given = [*self.fixed, *words]
        name = self.sweep.name
        config, job = compose_frozen(self.configs, given, folder, name, self.arguments)
        return open_job(self.allowed(config), replace(job, apart=list(words)))

    def allowed(self, config: TrainConfig) -> TrainConfig:
        """The config of a trial, without a download that only the search's folder names."""
        return with_allowed_download(config, self.download)


def plan_search(
    loader: Any, config: DictConfig, params: Mapping[str, Any], overrides: list[str],
    options: SearchOptions, arguments: list[str],
) -> Search:  # fmt: skip
    """Check everything that can be checked before the first trial; no file is written yet.

    Args:
        loader: Hydra's.
        config: the search's.
        params: spaces of the sweeper's config.
        overrides: of the command line, spaces among them.
        options: of the search.
        arguments: the words of the command after `train`, flags included.

    Raises:
        UserError: a space, an option or a config is wrong, or the folder holds another sweep.
    """
    check_single_process()
    check_search_options(options)
    fixed, spaces = read_spaces(parse(loader, params, overrides))
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    stored = read_launch(folder, "search")
    name = stored["name"] if stored else new_name(folder)
    sources = config_folders(arguments)
    copies = [folder / "conf" / str(index) for index in range(len(sources))]
    configs = copies if stored else sources
    checked = []
    for words in boundary_samples(spaces, fixed):
        given = [*fixed, *words]
        sample, job = compose_frozen(configs, given, folder / "0", name, arguments)
        _check_trust(sample, config, given if stored else None, folder)
        check_early(sample)
        check_components(sample)
        checked.append((sample, job))
    check_label_modes([job for _, job in checked])
    sample, job = checked[0]
    objectives = read_objectives(options, sample)
    study_name = options.study_name or f"{folder.name}-{uuid.uuid4().hex[:8]}"
    sweep = Sweep(
        RunFolder(folder), name, job.command, [], stored is None, sample.sweep.max_failures,
        sample.tracking, objectives,
    )  # fmt: skip
    download = OmegaConf.select(config, "data.download") is True
    search = Search(
        sweep, options, fixed, spaces, sources, copies, arguments, study_name, sample, download
    )
    if stored is not None:
        _check_same(stored, search)
        search.study_name = stored["study_name"]
    return search


def _check_trust(
    sample: TrainConfig, config: DictConfig, words: Sequence[str] | None, folder: Path
) -> None:
    """Refuse what the config of a trial names, and this command does not.

    Args:
        sample: the config.
        config: the search's, as this command composes it.
        words: of this command, where the configs are the folder's own; None at a launch.
        folder: the search's.
    """
    check_plugins(sample.plugins, trusted_plugins(map(str, config.plugins)), folder)
    if words is not None:
        data = OmegaConf.to_container(config.data, resolve=False)
        assert isinstance(data, dict)
        check_addresses(sample.data, folder, [*all_addresses([data]), *addresses_in(words)])


def launch_search(search: Search) -> None:
    """Copy the configs and write `sweep.json`: from then on the search counts as launched."""
    sweep = search.sweep
    if sweep.new:
        shutil.rmtree(sweep.folder.path / "conf", ignore_errors=True)  # of an aborted launch
        for source, copy in zip(search.sources, search.configs, strict=True):
            shutil.copytree(source, copy)
    write_launch(sweep, {"kind": "search", "study_name": search.study_name} | _identity(search))


def _identity(search: Search) -> dict[str, Any]:
    """The facts that are equal whenever the search is resumed."""
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
                search.sweep.folder.path, stored, f"its {key}: {stored[key]}; of this one: {value}"
            )
