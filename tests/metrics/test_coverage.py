"""Intervals hold the truth of simulated populations as often as they say.

A small version of benchmarks/coverage.py: 100 tables a cell, whose coverage has a standard
deviation of 2.2 points: 95 % is told from the 70 to 80 % of samples that are taken as independent.
"""

from __future__ import annotations

from types import ModuleType

import pytest
from support.scripts import load_script


@pytest.fixture(scope="module")
def worlds() -> ModuleType:
    return load_script("benchmarks/coverage.py", "coverage_worlds")


CELLS = {
    "binary, balanced": ("binary(0.5, 2)", 50, ["f1_macro", "auroc_macro", "log_loss", "brier"]),
    "binary, few positives": ("binary(0.1, 2)", 200, ["auroc_macro", "average_precision_macro"]),
    "six classes": ("multiclass(6, 1.8)", 100, ["f1_macro", "cohen_kappa", "log_loss"]),
    "missing targets": ("multilabel([0.3, 0.1, 0.1], 2)", 200, ["f1_micro", "recall_macro"]),
    "patients of 10 images": (
        "grouped(10, 0.5, 2)", 1000, ["accuracy", "f1_macro", "auroc_macro", "log_loss"]
    ),
    "nearly all right": ("binary(0.5, 5)", 50, ["precision", "recall", "ece"]),
    "few decided so": ("binary(0.02, 2.5)", 1000, ["precision_macro", "f1_micro", "auroc_macro"]),
    "few patients with positives": (
        "grouped(10, 0.1, 2)", 1000, ["recall", "auroc_macro", "ece"]
    ),
    "over-confident": ("sharpened(multiclass(6, 1.8), 1.5)", 200, ["ece"]),
    "calibrated": ("multiclass(6, 1.8)", 200, ["ece"]),
}  # fmt: skip


@pytest.mark.parametrize("cell", CELLS)
def test_intervals_hold_the_truth(worlds: ModuleType, cell: str) -> None:
    text, n, names = CELLS[cell]
    draw = eval(text, vars(worlds))  # of this file
    for name, found in worlds.coverage(draw, n, 100, names, large=60_000).items():
        assert found.given > 0.8, name
        assert found.covered >= 0.88, (name, found)


def test_rare_errors_are_withheld(worlds: ModuleType) -> None:
    names = ["log_loss", "f1_macro", "auroc_macro", "average_precision_macro"]
    found = worlds.coverage(worlds.binary(0.5, 5), 200, 40, names, large=60_000)
    assert len(found) == 4
    assert all(each.given < 0.1 for each in found.values())


def test_without_groups_the_same_intervals_do_not_hold(worlds: ModuleType) -> None:
    from dataclasses import replace

    draw = worlds.grouped(10, 0.5, 2)
    unaware = worlds.coverage(
        lambda rng, n: replace(draw(rng, n), groups=None), 1000, 100, ["accuracy"], large=60_000
    )
    assert unaware["accuracy"].covered < 0.85
