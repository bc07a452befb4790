"""The figure of backbones, and which of them it names."""

from __future__ import annotations

from sightline.reports.figures.backbones import BackbonePoint, best_for_cost, draw_backbones


def point(name: str, value: float, size: float, speed: float) -> BackbonePoint:
    return BackbonePoint(name, "knn", value, value - 0.01, value + 0.01, size, speed)


POINTS = [point("small", 0.8, 1e6, 900), point("worse", 0.75, 2e6, 800),
          point("large", 0.9, 9e7, 50), point("slow", 0.85, 5e6, 40)]  # fmt: skip


def test_named_are_those_that_nothing_cheaper_beats() -> None:
    def names(maximise: bool) -> list[str]:
        costs = [(p.parameters, p) for p in POINTS]
        return [p.label for p in best_for_cost(costs, maximise)]

    assert names(True) == ["small", "slow", "large"]
    assert names(False) == ["small", "worse"]
    by_speed = best_for_cost([(-p.images_per_s, p) for p in POINTS], True)
    assert [p.label for p in by_speed] == ["small", "large"]


def test_both_axes_show_every_probe() -> None:
    figure = draw_backbones(POINTS, "val accuracy", True)
    above, below = figure.axes
    assert sorted(above.containers[0].lines[0].get_xdata()) == [1e6, 2e6, 5e6, 9e7]
    assert sorted(below.containers[0].lines[0].get_xdata()) == [40, 50, 800, 900]
    assert {text.get_text() for text in below.texts} == {"small", "large"}
