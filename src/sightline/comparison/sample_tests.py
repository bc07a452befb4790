"""Pairs of runs tested on the samples that both were evaluated on."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from sightline.comparison.comparability import check_same_samples, check_same_split, sorted_by_id
from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.hypothesis_tests import PairedResult, mcnemar, paired_bootstrap
from sightline.errors import UserError
from sightline.label_modes.stored import label_mode_of
from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import Metric
from sightline.metrics.registry import registry_of
from sightline.metrics.resampling import draw, values_on
from sightline.predictions import Predictions

log = logging.getLogger(__name__)

Tables = Mapping[str, Predictions | UserError]  # by the run's id: its table, or why it has none


def compare_on_samples(
    matched: Sequence[tuple[ComparedRun, ComparedRun]], metric: str, split: str, tables: Tables,
    resamples: int, seed: int, plugins: Sequence[str] = (),
) -> list[PairedResult | UserError]:  # fmt: skip
    """The test of each pair of runs on their stored predictions, or the reason why there is none.

    McNemar's test where the metric is the share of samples that are decided correctly, else a
    paired bootstrap.

    Args:
        matched: the pairs.
        metric: its name without a split.
        split: whose predictions they are.
        tables: of every run in a pair.
        resamples: of the bootstrap, where the metric needs it.
        seed: of the bootstrap.
        plugins: packages with metrics of their own.
    """
    ordered = {
        key: table if isinstance(table, UserError) else sorted_by_id(table)
        for key, table in tables.items()
    }
    results: dict[int, PairedResult | UserError] = {}
    waiting: dict[str, list[int]] = {}  # by the first run: the pairs that are resampled together
    for index, runs in enumerate(matched):
        try:
            check_same_split(*runs, split)
            one, other = (_stored(ordered[run.run_id]) for run in runs)
            check_same_samples(one, other, runs, split)
            right = [is_correct(table, metric, plugins) for table in (one, other)]
        except UserError as error:
            results[index] = error
            continue
        if right[0] is not None and right[1] is not None:
            results[index] = mcnemar(right[0], right[1])
        else:
            waiting.setdefault(runs[0].run_id, []).append(index)
    for first, indices in waiting.items():
        others = [matched[index][1].run_id for index in indices]
        together = [_stored(ordered[key]) for key in (first, *others)]
        tested = _bootstrap(together, metric, resamples, seed, plugins)
        for index, result in zip(indices, tested, strict=True):
            results[index] = result
    return [results[index] for index in range(len(matched))]


def _stored(table: Predictions | UserError) -> Predictions:
    if isinstance(table, UserError):
        raise table
    return table


def stored_metric(
    table: Predictions, name: str, plugins: Sequence[str] = ()
) -> tuple[Metric, DecidedTable]:
    """The metric that is computed from a stored table, and the table with its decisions.

    Args:
        table: of a run.
        name: without a split; the loss is replaced by the log loss.
        plugins: packages with metrics of their own.

    Raises:
        UserError: the table's label mode has no such metric.
    """
    registry, label_mode = registry_of(plugins), label_mode_of(table)
    known = registry.find(name)
    stored = name if known is None or known.stored_as is None else known.stored_as
    metric = next((each for each in registry.of(label_mode) if each.name == stored), None)
    if metric is None:
        raise UserError(f"{name} cannot be computed from stored predictions")
    return metric, DecidedTable(label_mode, table)


def is_correct(table: Predictions, name: str, plugins: Sequence[str] = ()) -> np.ndarray | None:
    """Each sample's decision, True where it is right; None where the metric is not their share."""
    try:
        metric, decided = stored_metric(table, name, plugins)
    except UserError:
        return None
    return metric.correct(decided)


def _bootstrap(
    tables: Sequence[Predictions], name: str, resamples: int, seed: int, plugins: Sequence[str]
) -> list[PairedResult | UserError]:
    """The first table against each of the others, all on the same resamples."""
    try:
        found = [stored_metric(table, name, plugins) for table in tables]
    except UserError as problem:
        return [problem] * (len(tables) - 1)
    if found[0][0].not_resampled is not None:
        log.warning("%s is computed of one resample at a time, which is slow.", name)
    values: list[list[np.ndarray]] = [[] for _ in tables]
    samples = len(tables[0])
    for weights in draw(samples, resamples, seed):
        for parts, each in zip(values, found, strict=True):
            parts.append(values_on(weights, *each))
    first, *others = [np.concatenate(parts) for parts in values]
    once = np.ones((samples, 1), np.float32)
    exact, *exact_others = [float(values_on(once, *each)[0]) for each in found]
    return [
        paired_bootstrap(exact - value, first, other)
        for value, other in zip(exact_others, others, strict=True)
    ]
