"""Notes beside a comparison's tables: what its intervals and tests cover, and their limits."""

from collections.abc import Sequence

from sightline.comparison.compared_run import bare_name, images_of, split_of, stored_as
from sightline.comparison.grouping import differ_in_loss
from sightline.comparison.leaderboard import Group, Leaderboard
from sightline.comparison.stored_metrics import is_tuned
from sightline.comparison.tables import RUNS_ALONE, Comparison, is_marked, over_what, pair_ranks
from sightline.comparison.uncertainty import LEVEL
from sightline.comparison.verdicts import NO_DIFFERENCE, TOO_FEW, Pair
from sightline.errors import counted
from sightline.runs.imported import is_imported

FEW = 3  # seeds
LOG_LOSS = "log_loss"
WITHOUT = (
    "Several runs without ±: they have the same value, or differ so much that the interval would "
    "be the metric's whole range."
)


def about_ranks(comparison: Comparison) -> list[str]:
    """What the leaderboard's intervals cover, and the limits of its ranks."""
    board = comparison.board
    notes = _about_intervals(comparison)
    if comparison.looks is not None:
        times, runs = comparison.looks.times, comparison.looks.runs
        notes.append(
            f"This test set has been looked at {counted(times, 'time')}, by "
            f"{counted(runs, 'run')}: the more often, the more the best result owes to chance."
        )
    chosen = comparison.selection
    if chosen is not None:
        notes.append(
            f"Group 1 is the best of {chosen.count}, so its value is optimistic: if all were "
            f"equal, the best would be expected at {chosen.expected:.4f}, beside their mean of "
            f"{chosen.mean:.4f} (expected maximum, Dodge et al. 2019)."
        )
    notes += [*_about_losses(board), *_about_imported(board.groups)]
    sets = _sets(board.groups, split_of(board.metric))
    if sets > 1:
        notes.append(
            f"The groups were evaluated on {sets} different {split_of(board.metric)} sets: their "
            "values are not of the same samples, and the ranks say little."
        )
    return notes if comparison.pairs else [*notes, *_about_margin(comparison)]


def _about_imported(groups: Sequence[Group]) -> list[str]:
    names = [repr(run.name) for group in groups for run in group.runs if is_imported(run.tags)]
    if not names:
        return []
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
    return [
        f"Imported: {shown}. Nothing is known here of their training, nor whether it saw these "
        "images."
    ]


def _about_intervals(comparison: Comparison) -> list[str]:
    board = comparison.board
    if board.groups and all(len(group.runs) == 1 for group in board.groups):
        return ["Each group is a single run: an interval takes several seeds."]
    having = [group for group in board.groups if group.score.half_width is not None]
    lacking = any(len(group.runs) > 1 and group.score.half_width is None for group in board.groups)
    notes = [WITHOUT] if lacking else []
    if not having:
        return notes
    over = " or ".join(dict.fromkeys(map(over_what, having)))
    images = images_of(split_of(board.metric))
    alone = f"covers {over}, on these {images}"
    if any(group.score.over_samples for group in having):
        words = f"± (95 %) covers {over} and {images}"
        if any(is_marked(board, group) for group in having):
            words += f"; with{RUNS_ALONE} it {alone}"
    else:
        words = f"± (95 %) {alone}"
    if board.partner:
        words += f"; that of {board.partner} covers {over} alone"
    notes = [f"{words}.", *notes]
    if "folds" in over:
        notes.append("Over folds it is corrected for shared images (Nadeau and Bengio 2003).")
    return notes


def about_tests(comparison: Comparison) -> list[str]:
    """What the tests cover, and their limits."""
    board, pairs = comparison.board, comparison.pairs
    tested = [pair for pair in pairs if pair.tested is not None]
    name = bare_name(board.metric)
    notes = [*_about_levels(tested), *_about_few_runs(tested)]
    if tested and stored_as(name) is not None:
        notes.append(
            "What is tested is the log loss of the stored probabilities, which is the loss where "
            "that is plain cross-entropy."
        )
    if tested and board.metric.startswith(("val/", "train/")):
        notes.append("Ranked by the last epoch; tested on the best checkpoint's predictions.")
    if tested and is_tuned(name):
        notes.append("Temperatures and thresholds are held as each run fitted them on val.")
    if len(tested) > 1 and comparison.split == split_of(board.metric):
        notes.append(
            "Group 1 was picked on these same samples, so p is corrected for all "
            f"{len(tested) * (len(tested) + 1) // 2} pairs among the {len(tested) + 1} groups; its "
            "lead is overstated all the same."
        )
    if any(NO_DIFFERENCE in pair.verdict for pair in tested):
        notes.append(
            f"{NO_DIFFERENCE.capitalize()!r} (p over {LEVEL} after Holm's correction) does not say "
            "that there is none. 'Shown from': the smallest true difference that would have been "
            "shown with power 80 %."
        )
    if any(pair.is_too_small for pair in tested):
        low, high = board.bounds
        notes.append(
            f"{TOO_FEW.capitalize()!r}: of so few images or runs no difference, however great, "
            f"would be shown with power 80 % ({board.metric} has values from {low:g} to {high:g})."
        )
    return [*notes, *_about_margin(comparison), *_about_refused(pairs)]


def _about_levels(tested: Sequence[Pair]) -> list[str]:
    """The pairs under each level, with the test: what a verdict is about."""
    found: dict[tuple[str, str], list[str]] = {}
    for pair in tested:
        assert pair.tested is not None
        found.setdefault((pair.covers, pair.tested.test), []).append(pair_ranks(pair))
    return [
        f"{covers[0].upper()}{covers[1:]} ({test}): {', '.join(ranks)}."
        for (covers, test), ranks in found.items()
    ]


def _about_few_runs(tested: Sequence[Pair]) -> list[str]:
    notes = []
    if any(not pair.of_configs for pair in tested):
        notes.append(
            "A verdict on two runs says nothing on their configs: other seeds may reverse it. "
            "Train each config with several seeds (seed=1,2,3,4,5)."
        )
    few = [min(map(len, pair.runs)) for pair in tested if pair.of_configs]
    if few and min(few) <= FEW:
        notes.append(
            f"With {min(few)} {over_what(tested[0].first)} the interval is rightly wide: so few "
            "say little of how much others would differ."
        )
    return notes


def _about_margin(comparison: Comparison) -> list[str]:
    """How equivalence is tested, or that it is not."""
    if comparison.margin is None:
        return []
    if not any(pair.equivalence for pair in comparison.pairs):
        return [f"margin={comparison.margin:g}: nothing was tested, so no equivalence either."]
    return [
        f"Equivalent within {comparison.margin:g}: the 90 % interval of the difference lies inside "
        f"±{comparison.margin:g} (two one-sided tests; Holm's correction makes it wider for "
        "several pairs)."
    ]


def _about_refused(pairs: Sequence[Pair]) -> list[str]:
    """Why a pair is not tested, or not over samples; the same reason once."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.refused is not None:
            what = "not tested" if pair.tested is None else "tested on the logged values alone"
            found.setdefault(f"{what}: {pair.refused}", []).append(pair_ranks(pair))
    return [
        f"{', '.join(ranks)} {'is' if len(ranks) == 1 else 'are'} {words}"
        for words, ranks in found.items()
    ]


def _sets(groups: Sequence[Group], split: str) -> int:
    """The number of different sets that the groups' runs were evaluated on; all folds are one."""
    key = f"data.digest.{split}"
    each = {frozenset(run.params.get(key) for run in group.runs) for group in groups}
    return len(each)


def _about_losses(board: Leaderboard) -> list[str]:
    """What values are of where the groups were trained with different losses."""
    of_loss = stored_as(board.metric) is not None
    if not of_loss and bare_name(board.metric) != LOG_LOSS:
        return []
    if not differ_in_loss(run for group in board.groups for run in group.runs):
        return []
    if of_loss:
        return [
            "The groups were trained with different losses (loss.*), so their values of "
            f"{board.metric} do not compare: metric={LOG_LOSS} is one quantity."
        ]
    return [
        "The groups were trained with different losses (loss.*), whose own values do not compare; "
        f"{bare_name(board.metric)} is one quantity."
    ]
