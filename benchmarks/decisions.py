"""Decision rules fitted on val, judged on a population that is known.

    python benchmarks/decisions.py [WORLDS]

Each world draws a val table of a model whose logits are `strength` standard deviations apart, times
`scale` (2: too certain), plus `bias` (as class weights add); the population is a table of 20,000.
Prints one table a question; the figures of a run are in README.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch

from sightline.config.tuning_schema import TuningConfig
from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multilabel import Multilabel
from sightline.metrics.calibration import calibrated, calibration_metrics
from sightline.metrics.metric_sets import metric_sets
from sightline.metrics.thresholds import Ranked
from sightline.metrics.tuned_table import parts_of_val
from sightline.metrics.tuning import Tuning, fit_tuning
from sightline.predictions import Predictions

POPULATION = 20_000
BINARY = Binary(("no", "yes"), None)
MULTILABEL = Multilabel(("a", "b", "c"))


def table(
    mode: LabelMode, n: int, rng: np.random.Generator, prevalence: float, strength: float,
    scale: float = 1.0, bias: float = 0.0,
) -> Predictions:  # fmt: skip
    """A table whose logits are those of the posterior, times `scale`, plus `bias`."""
    targets = (rng.random((n, mode.num_outputs)) < prevalence).astype(np.int64)
    scores = rng.standard_normal(targets.shape) + strength * (targets - 0.5)
    logits = scale * (strength * scores + np.log(prevalence / (1 - prevalence)) + bias)
    probs = mode.probs(torch.from_numpy(logits)).numpy()
    encoded = targets if mode.multi_label else targets[:, 0]
    return Predictions(np.arange(n).astype(str), encoded, probs, mode.class_names, mode.name)


def config(**changed: object) -> TuningConfig:
    """The tuning's defaults, changed."""
    values = {"calibrate": True, "aim": "auto", "hold": None, "false_positive_cost": None,
              "false_negative_cost": None}  # fmt: skip
    return TuningConfig.model_validate(values | changed)


def values(mode: LabelMode, data: Predictions, tuning: Tuning, parts: np.ndarray | None = None
) -> dict[str, float]:  # fmt: skip
    """All metrics, without intervals."""
    sets = metric_sets(mode, data, tuning, parts=parts)
    return {name: value for each in sets for name, value in each.values().items()}


def cross_fitted(mode: LabelMode, worlds: int, key: str, **world: float) -> list[float]:
    """The mean error, against the population, of val's plain and of its cross-fitted value."""
    rng = np.random.default_rng(0)
    found = []
    n = int(world.pop("n"))
    new = table(mode, POPULATION, rng, **world)
    for _ in range(worlds):
        val = table(mode, n, rng, **world)
        tuning = fit_tuning(mode, val, config(aim="f1"))
        truth = values(mode, new, tuning)
        parts = parts_of_val(tuning, val)
        plain, crossed = values(mode, val, tuning), values(mode, val, tuning, parts)
        if key in truth:
            found.append((plain[key] - truth[key], crossed[key] - truth[key]))
    errors = np.array(found)
    spread = 1.96 * errors[:, 1].std() / np.sqrt(len(errors))
    return [*errors.mean(axis=0).tolist(), float(spread), len(errors) / worlds]


def rule_of_auto(worlds: int, **world: float) -> list[float]:
    """How often tuning.aim=auto uses thresholds, and the population's accuracy and F1 by the
    default rule, by the thresholds always, and by the run's rule."""
    rng = np.random.default_rng(1)
    n = int(world.pop("n"))
    new = table(BINARY, POPULATION, rng, **world)
    found = []
    for _ in range(worlds):
        tuning = fit_tuning(BINARY, table(BINARY, n, rng, **world), config())
        v = values(BINARY, new, tuning)
        used = tuning.rule == "tuned"
        found.append([used, *(x for k in ("accuracy", "f1_macro") for x in
                              (v[k], v[f"{k}_tuned"], v[k + tuning.suffix]))])  # fmt: skip
    return np.array(found, dtype=float).mean(axis=0).tolist()


def violations(worlds: int, aim: str, hold: float, n: int, guarantee: float | None) -> list[float]:
    """How often what is held falls short in the population, and how often one is fitted."""
    rng = np.random.default_rng(2)
    world = {"prevalence": 0.3, "strength": 2.0}
    new = table(BINARY, 200_000, rng, **world)
    whole = Ranked.of(new.probs[:, 1].astype(float), new.targets)
    short, fitted = [], []
    for _ in range(worlds):
        val = table(BINARY, n, rng, **world)
        chosen = config(calibrate=False, aim=aim, hold=hold, guarantee=guarantee)
        tuning = fit_tuning(BINARY, val, chosen)
        assert tuning.thresholds is not None
        (threshold,) = tuning.thresholds
        fitted.append(threshold != 0.5)
        at = int((whole.candidates > threshold).sum()) - 1
        of = whole.decided[at] if aim == "precision" else whole.present
        short.append(fitted[-1] and whole.hits[at] / max(of, 1) < hold)
    return [float(np.mean(short)), float(np.mean(fitted))]


def calibration(worlds: int, shift: float | None, **world: float) -> list[float]:
    """How often a calibration is accepted, and the population's log loss and ECE before and after,
    and with the temperature that is always accepted."""
    rng = np.random.default_rng(3)
    n = int(world.pop("n"))
    new = table(BINARY, POPULATION, rng, **world)
    before = calibration_metrics(BINARY, new)
    found = []
    for _ in range(worlds):
        val = table(BINARY, n, rng, **world)
        weighted = None if shift is None else np.array([shift])
        tuning = fit_tuning(BINARY, val, config(aim=None), weighted)
        after = calibration_metrics(
            BINARY, calibrated(BINARY, new, tuning.temperature, tuning.biases)
        )
        found.append([tuning.calibrates, after["log_loss"], after["ece"]])
    accepted, loss, ece = np.array(found, dtype=float).mean(axis=0)
    return [accepted, before["log_loss"], loss, before["ece"], ece]


def show(title: str, columns: str, rows: list[tuple[str, list[float]]]) -> None:
    """Print a table."""
    print(f"\n{title}\n| {columns} |\n|{'---|' * (columns.count('|') + 1)}")
    for name, cells in rows:
        print(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |", flush=True)


def main(worlds: int) -> None:
    """Print all tables."""
    cases: list[tuple[str, Callable[[], list[float]]]] = [
        ("binary, n=150, f1_tuned", lambda: cross_fitted(
            BINARY, worlds, "f1_tuned", n=150, prevalence=0.3, strength=1.5)),
        ("multilabel, n=150, f1_macro_tuned", lambda: cross_fitted(
            MULTILABEL, worlds, "f1_macro_tuned", n=150, prevalence=0.2, strength=1.5)),
        ("binary, n=150, log_loss_calibrated", lambda: cross_fitted(
            BINARY, worlds, "log_loss_calibrated", n=150, prevalence=0.3, strength=1.5, scale=2)),
    ]  # fmt: skip
    show("Value on val minus value of new samples", "case | plain | cross-fitted | ± | fitted",
         [(name, run()) for name, run in cases])  # fmt: skip
    rules = {
        "no gain: n=200, prevalence 0.5": {"n": 200, "prevalence": 0.5, "strength": 1.5},
        "weak: n=200, prevalence 0.55": {"n": 200, "prevalence": 0.55, "strength": 0.6},
        "rare: n=500, prevalence 0.1": {"n": 500, "prevalence": 0.1, "strength": 1.5},
        "bias 1.5: n=200, prevalence 0.5": {"n": 200, "prevalence": 0.5, "strength": 2,
                                            "bias": 1.5},
    }  # fmt: skip
    show("tuning.aim=auto, of new samples", "case | tuned rule | accuracy: default | tuned | run's "
         "| F1 macro: default | tuned | run's",
         [(name, rule_of_auto(worlds, **world)) for name, world in rules.items()])  # fmt: skip
    rows = []
    for aim, hold, n in (("precision", 0.9, 300), ("precision", 0.8, 1000), ("recall", 0.9, 300),
                         ("recall", 0.8, 1000)):  # fmt: skip
        plain, sure = (violations(worlds, aim, hold, n, g) for g in (None, 0.9))
        rows.append((f"{aim} >= {hold}, n={n}", [plain[0], *sure]))
    show("Falls short of what is held, of new samples", "case | plain | guarantee=0.9 | certified",
         rows)  # fmt: skip
    worlds_of = {
        "calibrated, n=200": (None, {"n": 200, "prevalence": 0.35, "strength": 1.5}),
        "1.5 times too certain, n=200": (None, {"n": 200, "prevalence": 0.35, "strength": 1.5,
                                               "scale": 1.5}),
        "2 times, n=1000": (None, {"n": 1000, "prevalence": 0.35, "strength": 1.5, "scale": 2}),
        "knows nothing, n=200": (None, {"n": 200, "prevalence": 0.35, "strength": 0.05}),
        "weights 9, temperature alone, n=500": (None, {"n": 500, "prevalence": 0.1,
                                                       "strength": 1.5, "bias": 2.2}),
        "weights 9, with a bias, n=500": (2.2, {"n": 500, "prevalence": 0.1, "strength": 1.5,
                                                "bias": 2.2}),
    }  # fmt: skip
    show("Calibration, of new samples", "case | accepted | log loss: before | after | ECE: before |"
         " after",
         [(name, calibration(worlds, shift, **world))
          for name, (shift, world) in worlds_of.items()])  # fmt: skip


if __name__ == "__main__":
    import logging

    logging.disable(logging.WARNING)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
