"""The direction of the monitored metric, which follows from the metric itself."""

from typing import Literal

from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.metrics.registry import registry_of

Direction = Literal["min", "max"]


def monitor_mode(config: TrainConfig) -> Direction:
    """The direction of `config.monitor`: max where higher is better, else min.

    Of a monitor that no metric is known for, the config's own value, or min: the training refuses
    it with the names that its label mode has.

    Raises:
        UserError: `config.monitor_mode` contradicts the metric.
    """
    given, own = config.monitor_mode, _direction(config)
    if given is not None and own is not None and given != own:
        better = "higher" if own == "max" else "lower"
        raise UserError(
            f"monitor_mode={given} contradicts monitor={config.monitor}, where {better} is better: "
            f"leave monitor_mode out (null), or give monitor_mode={own}."
        )
    return own or given or "min"


def with_monitor_mode(config: TrainConfig) -> TrainConfig:
    """The config with its direction filled in, for comparisons with configs of earlier versions.

    A value that contradicts the metric is left as it is.
    """
    if config.monitor_mode is not None:
        return config
    return config.model_copy(update={"monitor_mode": _direction(config) or "min"})


def _direction(config: TrainConfig) -> Direction | None:
    higher = registry_of(config.plugins).higher_is_better(config.monitor.removeprefix("val/"))
    return None if higher is None else "max" if higher else "min"
