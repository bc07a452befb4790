"""Tables of a comparison, for reading and for programs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.comparison.compared_run import explained
from sightline.comparison.leaderboard import Leaderboard
from sightline.comparison.verdicts import Pair
from sightline.reports.parts import Cell, Table


@dataclass(frozen=True)
class Looks:
    """Inspections of a test set.

    Attributes:
        times: their number.
        runs: the number of runs of the store that inspected it.
    """

    times: int
    runs: int


@dataclass(frozen=True)
class Comparison:
    """A leaderboard of runs, with the tests of the best group.

    Attributes:
        title: names the runs.
        board: ranked.
        split: whose stored predictions are tested.
        pairs: the best group against the next ones.
        looks: inspections of the test set, where the comparison uses it.
    """

    title: str
    board: Leaderboard
    split: str
    pairs: tuple[Pair, ...]
    looks: Looks | None


def leaderboard_table(board: Leaderboard) -> Table:
    """One row a group, as it is read."""
    metrics = [explained(board.metric)]
    metrics += [explained(board.partner)] if board.partner else []
    columns = ["rank", "runs", *metrics, *board.columns]
    rows = []
    for group in board.groups:
        runs = f"{len(group.runs)} of {len(group.runs) + group.others}"
        cells: list[Cell] = [group.rank, runs if group.others else str(len(group.runs))]
        cells.append(str(group.score))
        if board.partner:
            cells.append("" if group.partner is None else str(group.partner))
        rows.append([*cells, *(_short(key, value) for key, value in group.config.items())])
    return Table("leaderboard", "Groups of runs, best first", columns, rows)


def leaderboard_records(board: Leaderboard) -> Table:
    """One row a group, each number in a column of its own, for programs."""
    metrics = [board.metric, *([board.partner] if board.partner else [])]
    numbers = [f"{metric} {what}" for metric in metrics for what in ("mean", "± 95 %", "values")]
    columns = ["rank", "runs", "runs not ranked", *numbers, *board.columns, "run ids"]
    rows = []
    for group in board.groups:
        cells: list[Cell] = [group.rank, len(group.runs), group.others]
        for estimate in (group.score, group.partner)[: len(metrics)]:
            values = " ".join(repr(value) for value in estimate.values) if estimate else ""
            mean, half = (estimate.mean, estimate.half_width) if estimate else (None, None)
            cells += [mean, half, values]
        ids = " ".join(run.run_id for run in group.runs)
        rows.append([*cells, *group.config.values(), ids])
    return Table("leaderboard", "leaderboard", columns, rows)


def samples_table(comparison: Comparison) -> Table:
    """The tests on the same samples."""
    pairs = comparison.pairs
    tests = [pair.tested.test for pair in pairs if pair.tested is not None]
    counted = any(pair.tested is not None and pair.tested.alone for pair in pairs)
    columns = ["pair", "verdict", "difference", "95 % interval", *(["alone"] if counted else [])]
    rows: list[list[Cell]] = []
    for pair in pairs:
        cells: list[Cell] = [pair_ranks(pair), pair.verdict]
        found = pair.tested
        if found is None:
            cells += [None] * (len(columns) - 2)
        else:
            cells += [f"{found.difference:+.4f}", f"{found.low:+.4f} … {found.high:+.4f}"]
            cells += [" : ".join(map(str, found.alone))] if found.alone else []
        rows.append([*cells, _p(found.p if found else None), _p(pair.p_holm)])
    seeds = dict.fromkeys(run.params.get("seed", "") for pair in pairs for run in pair.runs)
    of = f" (seed {' and '.join(seeds)})" if len(seeds) < 3 and all(seeds) else ""
    caption = ": ".join([f"On the same samples of {comparison.split}{of}", *dict.fromkeys(tests)])
    return Table("tests", caption, [*columns, "p", "p (Holm)"], rows)


def seeds_table(pairs: Sequence[Pair]) -> Table:
    """The tests over seeds."""
    rows: list[list[Cell]] = []
    for pair in pairs:
        found = pair.seeds
        mean = None if math.isnan(found.difference) else f"{found.difference:+.4f}"
        p_values = [_p(found.p), _p(pair.seeds_p_holm)]
        rows.append([pair_ranks(pair), pair.seeds_verdict, found.pairs, mean, *p_values])
    columns = ["pair", "verdict", "seeds", "difference", "p", "p (Holm)"]
    return Table("seeds", "Over the seeds in common: Wilcoxon's signed-rank test", columns, rows)


def pair_records(pairs: Sequence[Pair]) -> Table:
    """Both tests of each pair, each number in a column of its own, for programs."""
    columns = [
        "first", "second", "first run", "second run", "test", "difference", "low", "high",
        "first alone right", "second alone right", "p", "p holm", "verdict", "why not tested",
        "seeds", "seeds difference", "seeds p", "seeds p holm", "seeds verdict",
    ]  # fmt: skip
    rows = []
    for pair in pairs:
        found, seeds = pair.tested, pair.seeds
        alone = found.alone if found is not None and found.alone else (None, None)
        of_samples: list[Cell] = [None] * 7
        if found is not None:
            of_samples = [found.test, found.difference, found.low, found.high, *alone, found.p]
        rows.append([
            pair.first.rank, pair.second.rank, *(run.run_id for run in pair.runs), *of_samples,
            pair.p_holm, pair.verdict, str(pair.refused) if pair.refused else None,
            seeds.pairs, None if math.isnan(seeds.difference) else seeds.difference, seeds.p,
            pair.seeds_p_holm, pair.seeds_verdict,
        ])  # fmt: skip
    return Table("tests", "tests", columns, rows)


def unranked_table(board: Leaderboard) -> Table:
    """The runs that take no part."""
    rows = [[each.run.name, each.run.run_id, each.reason] for each in board.unranked]
    return Table("not_ranked", "Runs that are not ranked", ["run", "id", "why"], rows)


def pair_ranks(pair: Pair) -> str:
    """The ranks of both groups."""
    return f"{pair.first.rank} − {pair.second.rank}"


def _p(value: float | None) -> str | None:
    if value is None:
        return None
    return "<0.0001" if value < 1e-4 else f"{value:.4f}"


def _short(key: str, value: str) -> str:
    """Digests and ids by their first digits."""
    return value[:8] if key.startswith("data.digest.") or key == "run" else value
