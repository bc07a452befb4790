"""Sightline's sweepers, where Hydra looks for plugins; the work is done in `sightline.sweeps`."""

from collections.abc import Mapping
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GridSweeper(Sweeper):
    """One job for every combination of the swept values.

    Args:
        params: swept values beside those of the command line, which come first: `{KEY: VALUES}`.
    """

    def __init__(self, params: Mapping[str, Any] | None) -> None:
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives, and make the launcher."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch all jobs at once; the launcher checks them first."""
        from sightline.sweeps.words import combinations

        loader = self.hydra_context.config_loader
        return self.launcher.launch(combinations(loader, self.params, arguments), 0)
