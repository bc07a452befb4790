"""Where two models differ: beside counts by hand, in every label mode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.tables import make_evaluated

from sightline.comparison.model_differences import Model, differences_section
from sightline.data.reading.decode import UnreadableImage
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Gallery, Table


def pair(mode: str, classes: int) -> tuple[EvaluatedSplit, EvaluatedSplit]:
    """Two models on one split; the second one answers with noise."""
    first = make_evaluated(mode, classes, samples=120)
    noise = np.random.default_rng(1).random(first.table.probs.shape)
    if mode != "multilabel":
        noise /= noise.sum(axis=1, keepdims=True)
    probs = (first.table.probs + noise) / 2
    return first, replace(first, table=replace(first.table, probs=probs.astype(np.float32)))


@pytest.mark.parametrize(("mode", "classes"), [("binary", 2), ("multiclass", 4), ("multilabel", 3)])
def test_each_sample_that_one_alone_gets_right_is_there(mode: str, classes: int) -> None:
    a, b = pair(mode, classes)
    section = differences_section(
        Model("A", "ours", a), Model("B", "theirs", b),
        lambda name: Image.new("RGB", (8, 8), "teal"), "",
    )  # fmt: skip
    galleries = [part for part in section.parts if isinstance(part, Gallery)]
    tables = {part.name: part for part in section.parts if isinstance(part, Table)}
    expected = {
        (str(name), "A" if right_a else "B")
        for name, right_a, right_b in zip(a.table.ids, ~a.wrong, ~b.wrong, strict=True)
        if right_a != right_b
    }
    assert expected
    assert {(row[0], row[1]) for row in tables["model_differences"].rows} == expected
    assert all(tile.jpeg for gallery in galleries for tile in gallery.tiles)
    if mode != "multilabel":  # the surest wrong decision first
        wrong = [
            float(b.probs[row].max()) for tile in galleries[0].tiles
            for row in np.flatnonzero(a.table.ids == tile.record["id"])
        ]  # fmt: skip
        assert wrong == sorted(wrong, reverse=True)
    # Both matrices hold the same samples: what one has less in a row it has more elsewhere.
    rows = tables["confusion_differences"].rows
    ours, theirs = (sum(int(str(row[at])) for row in rows) for at in (-3, -2))
    assert mode == "multilabel" or ours == theirs
    assert all(int(str(row[-3])) - int(str(row[-2])) == row[-1] != 0 for row in rows)


def test_without_images_or_differences() -> None:
    a, b = pair("multiclass", 3)

    def read(name: str) -> Image.Image:
        raise UnreadableImage(name)

    section = differences_section(Model("A", "a", a), Model("B", "b", b), read, "No images.")
    assert section.text.endswith("No images.")
    assert all(t.jpeg is None for p in section.parts if isinstance(p, Gallery) for t in p.tiles)
    same = differences_section(Model("A", "a", a), Model("B", "a", a), read, "")
    assert list(same.parts) == []
    assert "differ in being right on 0." in same.text
