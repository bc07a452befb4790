"""Sightline's launchers, where Hydra looks for plugins; the work is done in `sightline.sweeps`."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sightline.errors import UserError

if TYPE_CHECKING:
    from sightline.sweeps.search.plan import Search
    from sightline.sweeps.sweep import Sweep


def unknown_launcher(name: str) -> UserError:
    """The error for a launcher that knows nothing of frozen jobs, and would train nothing."""
    return UserError(
        f"hydra/launcher={name}: sweeps and searches are launched by hydra/launcher=local or slurm."
    )


class SightlineLauncher(Launcher):
    """Where the jobs of a sweep, or the trials of a search, are run."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives."""
        self.hydra_context = hydra_context
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run what is missing of these jobs."""
        from sightline.sweeps.plan import plan_sweep

        loader: Any = self.hydra_context.config_loader
        self.run(plan_sweep(loader, self.config, job_overrides, initial_job_idx))
        return []

    @abstractmethod
    def run(self, sweep: "Sweep") -> None:
        """Run what is missing of a sweep."""

    @abstractmethod
    def search(self, search: "Search") -> None:
        """Run the trials that are missing of a search."""


class LocalLauncher(SightlineLauncher):
    """Every job of a sweep in a process of its own, `n_jobs` of them at a time.

    Args:
        n_jobs: how many run at once; each gets its share of cores, and of GPUs.
    """

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs

    def run(self, sweep: "Sweep") -> None:
        """Run it on this machine."""
        from sightline.sweeps.run import run_sweep

        run_sweep(sweep, self.n_jobs)

    def search(self, search: "Search") -> None:
        """Run its trials on this machine."""
        from sightline.sweeps.search.run import search_here

        search_here(search, self.n_jobs)


class SlurmLauncher(SightlineLauncher):
    """Every job of a sweep as a job of Slurm.

    Args:
        options: as conf/hydra/launcher/slurm.yaml describes them.
    """

    def __init__(self, **options: Any) -> None:
        self.given = options

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Check the options, and let Slurm check them, before anything is written."""
        from sightline.sweeps.slurm.sbatch import check_options, need_commands
        from sightline.sweeps.slurm.submission import checked_options, resource_options

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        need_commands()
        self.options = checked_options(self.given)
        check_options(resource_options(self.options))

    def run(self, sweep: "Sweep") -> None:
        """Submit what is missing, and wait."""
        from sightline.sweeps.slurm.run import run_on_slurm

        run_on_slurm(sweep, self.options)

    def search(self, search: "Search") -> None:
        """Submit its trials as they are drawn, and wait."""
        from sightline.sweeps.search.run import search_on_slurm

        search_on_slurm(search, self.options)
