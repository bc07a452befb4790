"""Pairs of runs tested on the samples that both were evaluated on."""

from collections.abc import Mapping, Sequence

import numpy as np

from sightline.comparison.comparability import check_same_samples, check_same_split, sorted_by_id
from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.hypothesis_tests import PairedResult, mcnemar, paired_bootstrap
from sightline.comparison.resampled import is_correct, resample
from sightline.errors import UserError
from sightline.metrics.resampling import draw
from sightline.predictions import Predictions

Tables = Mapping[str, Predictions | UserError]  # by the run's id: its table, or why it has none


def compare_on_samples(
    matched: Sequence[tuple[ComparedRun, ComparedRun]], metric: str, split: str, tables: Tables,
    resamples: int, seed: int,
) -> list[PairedResult | UserError]:  # fmt: skip
    """For each pair of runs what the test on their stored predictions found, or why there is none.

    Args:
        matched: the pairs.
        metric: its name without a split.
        split: whose predictions they are.
        tables: of every run in a pair.
        resamples: of the bootstrap, where the metric needs it.
        seed: of the bootstrap.
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
            one, other = (_there(ordered[run.run_id]) for run in runs)
            check_same_samples(one, other, runs, split)
        except UserError as error:
            results[index] = error
            continue
        right = [is_correct(table, metric) for table in (one, other)]
        if right[0] is not None and right[1] is not None:
            results[index] = mcnemar(right[0], right[1])
        else:
            waiting.setdefault(runs[0].run_id, []).append(index)
    for first, indices in waiting.items():
        others = [matched[index][1].run_id for index in indices]
        together = [_there(ordered[key]) for key in (first, *others)]
        tested = _bootstrap(together, metric, resamples, seed)
        for index, result in zip(indices, tested, strict=True):
            results[index] = result
    return [results[index] for index in range(len(matched))]


def _there(table: Predictions | UserError) -> Predictions:
    if isinstance(table, UserError):
        raise table
    return table


def _bootstrap(
    tables: Sequence[Predictions], metric: str, resamples: int, seed: int
) -> list[PairedResult | UserError]:
    """The first table against each of the others, all on the same resamples."""
    found = [resample(table, metric) for table in tables]
    functions = [function for function in found if function is not None]
    if len(functions) < len(tables):
        problem = UserError(f"{metric} cannot be computed from stored predictions")
        return [problem] * (len(tables) - 1)
    values: list[list[np.ndarray]] = [[] for _ in tables]
    samples = len(tables[0])
    for weights in draw(samples, resamples, seed):
        for parts, function in zip(values, functions, strict=True):
            parts.append(function(weights))
    first, *others = [np.concatenate(parts) for parts in values]
    once = np.ones((samples, 1), np.float32)
    exact, *exact_others = [float(function(once)[0]) for function in functions]
    return [
        paired_bootstrap(exact - value, first, other)
        for value, other in zip(exact_others, others, strict=True)
    ]
