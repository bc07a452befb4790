"""Sightline's launchers, where Hydra looks for plugins; the work is done in `sightline.sweeps`."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LocalLauncher(Launcher):
    """Every job of a sweep in a process of its own, `n_jobs` of them at a time.

    Args:
        n_jobs: how many run at once; each gets its share of cores, and of GPUs.
    """

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs

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
        from sightline.sweeps.run import run_sweep

        loader: Any = self.hydra_context.config_loader
        run_sweep(plan_sweep(loader, self.config, job_overrides, initial_job_idx), self.n_jobs)
        return []
