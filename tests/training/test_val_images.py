"""The images of val that are drawn at each epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.tables import make_evaluated

from sightline.training.logging.val_images import chosen


def test_each_class_has_an_image_and_the_choice_stays() -> None:
    table = make_evaluated("multiclass", 8, samples=400).table
    names = chosen(table)
    assert len(set(names)) == 16
    assert {int(table.targets[table.ids == name][0]) for name in names} == set(range(8))
    again = replace(table, probs=table.probs[:, ::-1])  # another epoch's
    assert chosen(again) == names


def test_a_small_split_is_shown_whole() -> None:
    table = make_evaluated("multilabel", 3, samples=5).table
    assert sorted(chosen(table)) == sorted(map(str, np.asarray(table.ids)))
