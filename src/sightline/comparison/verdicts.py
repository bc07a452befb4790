"""The verdict on a pair of groups, in words."""

from dataclasses import dataclass

from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.hypothesis_tests import PairedResult
from sightline.comparison.leaderboard import Group
from sightline.comparison.uncertainty import LEVEL
from sightline.errors import UserError

NO_DIFFERENCE = "no difference shown"
TWO_RUNS = "these two runs"
TOO_FEW = "too few to say"


@dataclass(frozen=True)
class Pair:
    """The first group against another.

    Attributes:
        first, second: the groups.
        runs: those whose values are compared: all of both groups; or two, of one seed and fold
            where both have it, where a group has a single run.
        covers: the sources of variance that the test covers.
        tested: what the test found; None where there was none.
        refused: why there was none, or why it does not cover the samples too.
        p_holm: its p, corrected for all pairs.
        level: that its p is compared with before the correction.
        maximise: whether more is better.
        bounds: the least and the greatest value of the metric.
        margin: of a difference that does not matter; None where no equivalence is tested.
        equivalent_p: p of the test of equivalence, corrected for all pairs.
    """

    first: Group
    second: Group
    runs: tuple[tuple[ComparedRun, ...], tuple[ComparedRun, ...]]
    covers: str
    tested: PairedResult | None
    refused: UserError | None
    maximise: bool
    bounds: tuple[float, float]
    p_holm: float | None = None
    level: float = LEVEL
    margin: float | None = None
    equivalent_p: float | None = None

    @property
    def of_configs(self) -> bool:
        """Whether the test says something on the configs, not on two runs of theirs alone."""
        return not self.covers.startswith(TWO_RUNS)

    @property
    def is_shown(self) -> bool:
        """Whether a difference is shown."""
        return self.p_holm is not None and self.p_holm <= LEVEL

    @property
    def verdict(self) -> str:
        """What the test shows, in a few words."""
        if self.tested is None:
            return "not tested"
        words = NO_DIFFERENCE
        if self.is_shown:
            better = self.first if (self.tested.difference > 0) == self.maximise else self.second
            words = f"{'' if self.of_configs else 'that of '}{better.rank} is better"
        return words if self.of_configs else f"{TWO_RUNS}: {words}"

    @property
    def is_equivalent(self) -> bool:
        """Whether the difference is shown to lie within the margin."""
        return self.equivalent_p is not None and self.equivalent_p <= LEVEL

    @property
    def equivalence(self) -> str | None:
        """What the test of equivalence shows; None where there is none."""
        if self.margin is None or self.equivalent_p is None:
            return None
        if self.is_equivalent:
            return f"equivalent within {self.margin:g}"
        return "not shown equivalent"

    @property
    def smallest_shown(self) -> float | None:
        """The smallest true difference that is shown with power 80 %.

        None where none is tested, and where it would be greater than any that the metric can have.
        """
        if self.tested is None:
            return None
        least = self.tested.uncertainty.smallest_shown(self.level)
        return least if least <= self.bounds[1] - self.bounds[0] else None

    @property
    def is_too_small(self) -> bool:
        """Whether no true difference, however great, would be shown with power 80 %."""
        return self.tested is not None and self.smallest_shown is None

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the difference's interval, within what is possible; None where that is all
        of it, and without a test."""
        if self.tested is None:
            return None
        span = self.bounds[1] - self.bounds[0]
        low, high = max(self.tested.low, -span), min(self.tested.high, span)
        return None if high - low >= 2 * span else (low, high)
