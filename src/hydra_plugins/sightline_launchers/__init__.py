"""Launchers of Sightline as plugins of Hydra; the implementation is in `sightline.sweeps`."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sightline.config.task import TrainTask

if TYPE_CHECKING:
    from sightline.sweeps.search.plan import Search
    from sightline.sweeps.sweep import Sweep


class SightlineLauncher(Launcher):
    """Base of the launchers: runs the jobs of a sweep, or the trials of a search."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep the context, the config and the command's arguments."""
        assert isinstance(task_function, TrainTask)
        self.hydra_context = hydra_context
        self.config = config
        self.arguments = task_function.arguments

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run those of these jobs that are not finished."""
        from sightline.sweeps.plan import plan_sweep

        loader: Any = self.hydra_context.config_loader
        self.run(plan_sweep(loader, self.config, job_overrides, initial_job_idx, self.arguments))
        return []

    @abstractmethod
    def run(self, sweep: "Sweep") -> None:
        """Run the jobs of a sweep that are not finished."""

    @abstractmethod
    def search(self, search: "Search") -> None:
        """Run trials of a search until there are enough."""


class LocalLauncher(SightlineLauncher):
    """Every job of a sweep in a process of its own, `n_jobs` of them at a time.

    Args:
        n_jobs: how many run at once; each gets its share of cores, and of GPUs.
    """

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs

    def run(self, sweep: "Sweep") -> None:
        """Run the jobs on this machine."""
        from sightline.sweeps.run import run_sweep

        run_sweep(sweep, self.n_jobs)

    def search(self, search: "Search") -> None:
        """Run the trials on this machine."""
        from sightline.sweeps.search.run import search_here

        search_here(search, self.n_jobs)


class SlurmLauncher(SightlineLauncher):
    """Every job of a sweep as a job of Slurm.

    Args:
        options: described in conf/hydra/launcher/slurm.yaml.
    """

    def __init__(self, **options: Any) -> None:
        self.given = options

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Check the options, also by Slurm, before anything is written."""
        from sightline.sweeps.slurm.sbatch import check_options, need_commands
        from sightline.sweeps.slurm.submission import checked_options, resource_options

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        need_commands()
        self.options = checked_options(self.given)
        check_options(resource_options(self.options))

    def run(self, sweep: "Sweep") -> None:
        """Submit the jobs that are not finished, and wait."""
        from sightline.sweeps.slurm.run import run_on_slurm

        run_on_slurm(sweep, self.options)

    def search(self, search: "Search") -> None:
        """Submit the trials as they are sampled, and wait."""
        from sightline.sweeps.search.run import search_on_slurm

        search_on_slurm(search, self.options)
