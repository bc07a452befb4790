"""The registry of metrics: Sightline's own, found in a folder, and those of plugin packages.

A new metric is one file in `metrics/definitions/` that lists its objects in `METRICS`; nothing else
changes. A plugin package brings metrics in a module `PACKAGE.metrics`, or in the modules of a
folder of that name, each with such a list:

    class Specificity(Metric):
        name = "specificity"
        higher_is_better = True
        modes = ("binary",)  # or the families single_label and multi_label; left out: all
        role = "epoch"       # computed at each validation, so that monitor=val/specificity works

        def value(self, table):          # a DecidedTable: probs, preds, target, answers, ...
            return float((table.preds[table.target == 0] == 0).double().mean())

        scale = "logit"      # of the interval, as it lies in [0, 1]; log over 0; left out: as it is

        def resampled(self, table):      # for intervals; else not_resampled = "the reason"
            counts = table.counts        # shape (R, C)
            return counts.hits[:, 0] / counts.support[:, 0]

    METRICS = [Specificity()]

The package is named in the config (`plugins=[PACKAGE]`), and in the same option of `sightline
evaluate` and `sightline compare`: a stored run never decides by itself which code is imported.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from sightline.errors import UserError
from sightline.metrics import definitions
from sightline.metrics.metric import CALIBRATED, TUNED, Basis, Metric, Role

if TYPE_CHECKING:
    from sightline.label_modes.base import LabelMode

ROLES: tuple[Role, ...] = ("epoch", "further", "headline")  # in the order of an evaluation's table


@dataclass(frozen=True)
class Registry:
    """Metrics in the order of an evaluation's table."""

    metrics: tuple[Metric, ...]

    def of(
        self, label_mode: "LabelMode", role: Role | None = None, basis: Basis | None = None
    ) -> list[Metric]:
        """The metrics of a label mode; role, basis: only those.

        Metrics of what was fitted on val are there only where their basis is named.
        """
        return [
            metric
            for metric in self.metrics
            if role in (None, metric.role)
            and (metric.basis == basis if basis else metric.basis != "fitted")
            and metric.is_for(label_mode)
        ]

    def find(self, name: str, label_mode: "LabelMode | None" = None) -> Metric | None:
        """The metric with this name (a suffix of tuning aside), also where a label mode lacks it.

        Args:
            name: without a split.
            label_mode: one that the metric must be for; None: any.
        """
        bare = name.removesuffix(TUNED).removesuffix(CALIBRATED)
        named = [metric for metric in self.metrics if metric.name == bare]
        if label_mode is not None:
            named = [metric for metric in named if metric.is_for(label_mode)]
        return named[0] if named else None

    def higher_is_better(self, name: str) -> bool | None:
        """The direction of a metric, by its name without a split; None where it is unknown."""
        metric = self.find(name)
        return None if metric is None else metric.higher_is_better


def registry_of(plugins: Sequence[str] = ()) -> Registry:
    """Sightline's metrics and those of plugin packages.

    Raises:
        UserError: a plugin's metric is incomplete, or has the name of another one.
    """
    return _registry_of(tuple(plugins))


@cache
def _registry_of(plugins: tuple[str, ...]) -> Registry:
    found = [metric for module in _modules(definitions) for metric in _listed(module)]
    for package in dict.fromkeys(plugins):
        for module in _plugin_modules(package):
            for metric in _listed(module):
                _check_new(metric, found, module)
                found.append(metric)
    found.sort(key=lambda metric: (ROLES.index(metric.role), metric.place))
    return Registry(tuple(found))


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(each.name)


def _plugin_modules(package: str) -> Iterator[ModuleType]:
    """The module PACKAGE.metrics and, where it is a folder, the modules in it."""
    name = f"{package}.metrics"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name in (name, package) or package.startswith(f"{error.name}."):
            return  # without metrics, or not installed: reported where a class of it is named
        raise
    yield module
    if hasattr(module, "__path__"):
        yield from _modules(module)


def _listed(module: ModuleType) -> list[Metric]:
    """The module's `METRICS`, each checked."""
    metrics = list(getattr(module, "METRICS", []))
    for metric in metrics:
        _check(metric, module)
    return metrics


def _check(metric: object, module: ModuleType) -> None:
    where = f"{module.__name__} ({module.__file__})"
    if not isinstance(metric, Metric):
        raise UserError(
            f"{where}: METRICS lists {metric!r}, expected an object of a subclass of "
            "sightline.metrics.metric.Metric."
        )
    kind = type(metric).__name__
    if not isinstance(getattr(metric, "name", None), str):
        raise UserError(f"{where}: the metric {kind} has no name; add `name = ...` to it.")
    if not isinstance(getattr(metric, "higher_is_better", None), bool):
        raise UserError(
            f"{where}: the metric {metric.name!r} ({kind}) does not define its direction; add "
            "`higher_is_better = True` to it, or False where lower values are better."
        )
    if metric.average is not None and not metric.name.endswith(f"_{metric.average}"):
        raise UserError(
            f"{where}: the metric {metric.name!r} averages by {metric.average}; expected a name "
            f"that ends with _{metric.average}."
        )
    if metric.role not in ROLES:
        raise UserError(
            f"{where}: the metric {metric.name!r} has role={metric.role!r}; expected one of "
            f"{', '.join(ROLES)}."
        )
    if type(metric).resampled is Metric.resampled and metric.not_resampled is None:
        raise UserError(
            f"{where}: the metric {metric.name!r} has no resampled form; define `resampled`, or "
            "give the reason in `not_resampled`."
        )


def _check_new(metric: Metric, found: list[Metric], module: ModuleType) -> None:
    if any(metric.name == other.name for other in found):
        raise UserError(
            f"{module.__name__} ({module.__file__}): there is another metric called "
            f"{metric.name!r}; give this one another name."
        )
