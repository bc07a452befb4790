"""A run as it is compared, and the keys of its metrics."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sightline.config.influence import ALL_OF_TRAIN, FRACTION, PER_CLASS
from sightline.config.schema import DRAW, REPLICATES
from sightline.errors import UserError, did_you_mean
from sightline.metrics.monitor import direction_of
from sightline.metrics.registry import registry_of

UNBOUNDED = (-math.inf, math.inf)
BEST = "val_best"
SUFFIX = "_best"  # of a split's name: its metrics are the best checkpoint's, beside each epoch's


@dataclass(frozen=True)
class ComparedRun:
    """One run as it was logged; of each metric the last value.

    Attributes:
        run_id: MLflow's id, or the folder of a run that was not uploaded.
        name: for people.
        status: FINISHED, FAILED, KILLED or RUNNING.
    """

    run_id: str
    name: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]

    @property
    def repeat(self) -> tuple[str, ...]:
        """Seed, fold and, of a part of train, the draw: what tells it from others of its group."""
        values = {key: self.params.get(key, "") for key in REPLICATES}
        fraction, each_class = self.params.get(FRACTION), self.params.get(PER_CLASS)
        drawn = each_class is not None or fraction not in (None, *ALL_OF_TRAIN)
        return tuple((values if drawn else values | {DRAW: ""}).values())


def split_of(metric: str) -> str:
    """The split that a metric is of: `val` also for `val_best/...`; empty where it has none."""
    if "/" not in metric:
        return ""
    return metric.partition("/")[0].removesuffix(SUFFIX)


def images_of(split: str) -> str:
    """The images of a split in words; of a metric of another program, whose split is not known."""
    return f"{split} images".strip()


def bare_name(metric: str) -> str:
    """A metric's name without its split."""
    return metric.partition("/")[2] or metric


def higher_is_better(
    metric: str, plugins: Sequence[str] = (), mode: Literal["max", "min"] | None = None
) -> bool:
    """The metric's own direction.

    Args:
        metric: a key, or a name without a split.
        plugins: packages with metrics of their own.
        mode: the direction of a metric that is not known.

    Raises:
        UserError: neither Sightline nor a plugin has this metric and there is no mode, or the mode
            contradicts the metric.
    """
    own = direction_of(metric, plugins)
    if own is not None and mode not in (None, own):
        better = "higher" if own == "max" else "lower"
        raise UserError(
            f"mode={mode} contradicts metric={metric}, where {better} is better: leave mode out."
        )
    found = own or mode
    if found is None:
        raise UserError(
            f"metric={metric}: it is not one of Sightline's own, so its direction is not known. "
            "Give mode=max or mode=min, or plugins=[PACKAGE] of the package that defines it."
        )
    return found == "max"


def bounds_of(metric: str, plugins: Sequence[str] = ()) -> tuple[float, float]:
    """The least and the greatest value of a metric; infinite where it has none or is not known.

    Args:
        metric: a key, or a name without a split.
        plugins: packages with metrics of their own.
    """
    found = registry_of(plugins).find(bare_name(metric))
    return UNBOUNDED if found is None else found.bounds


def stored_as(metric: str) -> str | None:
    """The key of what stands for a metric in stored predictions: of the loss the log loss."""
    found = registry_of().find(bare_name(metric))
    if found is None or found.stored_as is None:
        return None
    return metric.removesuffix(bare_name(metric)) + found.stored_as


def beside(metric: str) -> str | None:
    """What stands beside a metric: last beside best checkpoint, val beside test."""
    split, _, name = metric.partition("/")
    partner = {BEST: "val", "train_best": "train"}.get(split, BEST)
    return f"{partner}/{name}" if name else None


def explained(metric: str) -> str:
    """A metric's key and which checkpoint it is of, where that is known."""
    if "/" not in metric:
        return metric
    checkpoint = {"val": "last epoch", "train": "last epoch"}.get(
        metric.partition("/")[0], "best checkpoint"
    )
    return f"{metric} ({checkpoint})"


def choose_metric(runs: Iterable[ComparedRun], wanted: str | None, split: str | None) -> str:
    """The key of the metric to rank by.

    Args:
        runs: those compared.
        wanted: as given: a key, or a name without its split; None: what most runs monitor.
        split: as given; None: of the best checkpoint on val.

    Raises:
        UserError: no run has such a metric; says the nearest real name.
    """
    runs = list(runs)
    known = sorted({key for run in runs for key in run.metrics})
    if wanted is not None and ("/" in wanted or wanted in known):
        metric = wanted
    else:
        prefix = BEST if split in (None, "val") else split
        metric = f"{prefix}/{wanted or bare_name(_monitored(runs))}"
    if metric in known:
        return metric
    if not known:
        raise UserError(f"None of the {len(runs)} runs has a metric yet: there is nothing to rank.")
    ranked = [key for key in known if key.startswith((f"{BEST}/", "test/"))] or known
    raise UserError(
        f"metric={metric}: none of the {len(runs)} runs has it.{did_you_mean(metric, known)} "
        f"They have: {', '.join(ranked[:30])}{', ...' if len(ranked) > 30 else ''}."
    )


def _monitored(runs: list[ComparedRun]) -> str:
    """What the most runs chose their best checkpoint by."""
    monitors = Counter(run.params["monitor"] for run in runs if "monitor" in run.params)
    return max(monitors, key=monitors.__getitem__) if monitors else "val/loss"
