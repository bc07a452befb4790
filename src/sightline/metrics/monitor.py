"""The direction of a metric, above all of the monitored one, which follows from the metric."""

from collections.abc import Sequence
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
    given, own = config.monitor_mode, direction_of(config.monitor, config.plugins)
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
    return config.model_copy(
        update={"monitor_mode": direction_of(config.monitor, config.plugins) or "min"}
    )


def direction_of(metric: str, plugins: Sequence[str]) -> Direction | None:
    """The direction of a metric: max where higher is better, else min; None where it is not known.

    Args:
        metric: its key, such as `val_best/loss`, or its name without a split.
        plugins: packages with metrics of their own.
    """
    higher = registry_of(plugins).higher_is_better(metric.partition("/")[2] or metric)
    return None if higher is None else "max" if higher else "min"
