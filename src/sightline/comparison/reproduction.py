"""A run beside its repetition: what differs around them, and which metrics were reached again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sightline.reports.parts import Table

Verdict = Literal["identical", "within tolerance", "different", "only then", "only now"]
# What says how fast a machine is, or how full, is never the same twice.
OF_THE_MACHINE = re.compile(r"^system/|per_second|seconds|memory|_ms$|_s$")


@dataclass(frozen=True)
class Again:
    """One metric of both trainings.

    Attributes:
        name: its key.
        then, now: its last values; None where it was not measured.
        verdict: how they compare.
    """

    name: str
    then: float | None
    now: float | None
    verdict: Verdict


def judge(
    then: Mapping[str, float], now: Mapping[str, float], tolerance: float
) -> tuple[Again, ...]:
    """Every metric side by side, the worst first, without those of the machine's speed.

    Args:
        then: of the run.
        now: of its repetition.
        tolerance: the largest difference within it, for metrics beyond ±1 in proportion to them.
    """
    judged = []
    for name in dict.fromkeys([*then, *now]):
        if not OF_THE_MACHINE.search(name):
            one, other = then.get(name), now.get(name)
            judged.append(Again(name, one, other, _verdict(one, other, tolerance)))
    order: list[Verdict] = ["different", "within tolerance", "identical", "only then", "only now"]
    return tuple(sorted(judged, key=lambda each: (order.index(each.verdict), each.name)))


def summary(judged: Sequence[Again]) -> Verdict:
    """Of all metrics: the worst of what was measured both times; different where nothing was."""
    found = {each.verdict for each in judged}
    worst: list[Verdict] = ["different", "within tolerance", "identical"]
    return next((verdict for verdict in worst if verdict in found), "different")


def differing(then: Mapping[str, str], now: Mapping[str, str]) -> Table:
    """What is not the same around the two trainings, a row each."""
    rows = [
        [name, then.get(name, "not known"), now.get(name, "not there")]
        for name in dict.fromkeys([*then, *now])
        if then.get(name) != now.get(name)
    ]
    return Table("differences", "What differs now", ["what", "then", "now"], rows)


def metrics_table(judged: Sequence[Again]) -> Table:
    """The verdict on each metric."""
    rows = [[a.name, _number(a.then), _number(a.now), a.verdict] for a in judged]
    return Table(
        "metrics", "Every metric, then and now", ["metric", "then", "now", "verdict"], rows
    )


def _verdict(then: float | None, now: float | None, tolerance: float) -> Verdict:
    if then is None:
        return "only now"
    if now is None:
        return "only then"
    if then == now:
        return "identical"
    within = abs(then - now) <= tolerance * max(1.0, abs(then))
    return "within tolerance" if within else "different"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.8g}"
