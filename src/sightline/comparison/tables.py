"""What is said of the runs that are compared, for every form it is said in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.comparison.compared_run import bare_name, explained, split_of
from sightline.comparison.leaderboard import Group, Leaderboard
from sightline.comparison.seed_tests import LEVEL, pairs_needed
from sightline.comparison.verdicts import NO_DIFFERENCE, Pair
from sightline.reports.parts import Cell, Table


@dataclass(frozen=True)
class Looks:
    """How often a test set was looked at.

    Attributes:
        times: in all.
        runs: by how many runs of the store.
    """

    times: int
    runs: int


@dataclass(frozen=True)
class Comparison:
    """Runs compared.

    Attributes:
        title: which.
        board: ranked.
        split: whose stored predictions are tested.
        pairs: the best group against the next ones.
        looks: at the test set, where it is what is compared on.
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
        cells: list[Cell] = [_ranks(pair), pair.verdict]
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
        rows.append([_ranks(pair), pair.seeds_verdict, found.pairs, mean, *p_values])
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


def about_ranks(comparison: Comparison) -> list[str]:
    """What to know before believing the leaderboard."""
    board = comparison.board
    said = []
    if comparison.looks is not None:
        times, runs = comparison.looks.times, comparison.looks.runs
        said.append(
            f"This test set has been looked at {times:,} time{'s' * (times != 1)}, by {runs:,} "
            f"run{'s' * (runs != 1)}: the more often, the more the best result owes to chance."
        )
    sets = _sets(board.groups, split_of(board.metric))
    if sets > 1:
        said.append(
            f"The groups were evaluated on {sets} different {split_of(board.metric)} sets: their "
            "values are not of the same samples, and the ranks say little."
        )
    if board.groups and all(len(group.runs) == 1 for group in board.groups):
        said.append("Each group is a single run: an interval takes several seeds.")
    return said


def about_tests(comparison: Comparison) -> list[str]:
    """What to know before believing the tests on the same samples."""
    board, pairs = comparison.board, comparison.pairs
    tested = [pair.tested for pair in pairs if pair.tested is not None]
    said = []
    if tested and bare_name(board.metric) == "loss":
        said.append(
            "What is tested is the log loss of the stored probabilities, which is the loss where "
            "that is plain cross-entropy."
        )
    if any(found.alone for found in tested):
        said.append("Alone: samples that only the first, and that only the second decides rightly.")
    if tested and len(board.groups) > 2 and comparison.split == split_of(board.metric):
        said.append(
            f"Group 1 was picked as the best of {len(board.groups)} on these same samples, which "
            "favours it; no correction here undoes that."
        )
    if any(NO_DIFFERENCE in (pair.verdict, pair.seeds_verdict) for pair in pairs):
        said.append(
            f"{NO_DIFFERENCE.capitalize()!r} (p over {LEVEL} after Holm's correction) does not say "
            "that there is none: these samples, or seeds, are too few to show one."
        )
    refused = [(_ranks(pair), pair.refused) for pair in pairs if pair.refused is not None]
    return [*said, *(f"{ranks} is not tested: {why}" for ranks, why in refused)]


def about_seeds(pairs: Sequence[Pair]) -> list[str]:
    """What so few seeds can show."""
    found = [pair.seeds for pair in pairs if pair.seeds.pairs]
    if not found:
        return []
    most = max(found, key=lambda each: each.pairs)
    needed = pairs_needed(len(found))
    if most.pairs >= needed:
        return []
    seeds = f"{most.pairs} seed{'s' * (most.pairs != 1)} in common"
    many = f", and {needed} for {len(found)} tests after Holm's correction" if needed > 6 else ""
    return [
        f"With {seeds} Wilcoxon's p cannot be below {most.smallest:.3g}: below six pairs it "
        f"cannot reach {LEVEL}{many}."
    ]


def _sets(groups: Sequence[Group], split: str) -> int:
    """How many different sets the groups' runs were evaluated on, each fold's counted as one."""
    key = f"data.digest.{split}"
    each = {frozenset(run.params.get(key) for run in group.runs) for group in groups}
    return len(each)


def _ranks(pair: Pair) -> str:
    return f"{pair.first.rank} − {pair.second.rank}"


def _p(value: float | None) -> str | None:
    if value is None:
        return None
    return "<0.0001" if value < 1e-4 else f"{value:.4f}"


def _short(key: str, value: str) -> str:
    """Digests and ids by their first digits."""
    return value[:8] if key.startswith("data.digest.") or key == "run" else value
