"""Sweepers of Sightline as plugins of Hydra; the implementation is in `sightline.sweeps`."""

from collections.abc import Mapping
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.sightline_launchers import SightlineLauncher
from sightline.config.task import unknown_launcher


class GridSweeper(Sweeper):
    """One job for every combination of the swept values.

    Args:
        params: swept values, which those of the command line override: `{KEY: VALUES}`.
    """

    def __init__(self, params: Mapping[str, Any] | None) -> None:
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep the config, and make the launcher."""
        self.loader = hydra_context.config_loader
        self.config: Any = config
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if not isinstance(launcher, SightlineLauncher):
            raise unknown_launcher(config.hydra.runtime.choices["hydra/launcher"])
        self.launcher: SightlineLauncher = launcher

    def sweep(self, arguments: list[str]) -> Any:
        """Launch all jobs at once; the launcher checks them first."""
        from sightline.sweeps.overrides import combinations

        return self.launcher.launch(combinations(self.loader, self.params, arguments), 0)


class OptunaSweeper(GridSweeper):
    """Trials that Optuna samples; `conf/hydra/sweeper/optuna.yaml` describes the options."""

    def __init__(
        self,
        params: Mapping[str, Any] | None,
        sampler_options: Mapping[str, Any] | None,
        pruner_options: Mapping[str, Any] | None,
        **options: Any,
    ) -> None:
        super().__init__(params)
        self.options = options
        self.options["sampler_options"] = dict(sampler_options or {})
        self.options["pruner_options"] = dict(pruner_options or {})

    def sweep(self, arguments: list[str]) -> Any:
        """Run trials until there are enough."""
        from sightline.sweeps.search.plan import SearchOptions, plan_search

        options = SearchOptions(**self.options)
        search = plan_search(
            self.loader, self.config, self.params, arguments, options, self.launcher.arguments
        )
        self.launcher.search(search)
        return []
