"""Logistic regression of standardised features by scikit-learn, its C chosen on val.

C rises along its list and each fit starts from the one before, until two in a row do no better on
val.
"""

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sightline.label_modes.base import LabelMode
from sightline.probing.fitted import (
    FittedProbe,
    Labelled,
    LinearHead,
    Setting,
    Standardisation,
    edges,
)
from sightline.probing.judge import Judge, Score

STRENGTHS = tuple(10.0**power for power in range(-5, 3))  # C of scikit-learn
PATIENCE = 2
STEPS = 200  # of L-BFGS, for each C
TOLERANCE = 1e-4


def fit_logistic(
    train: Labelled, val: Labelled, judge: Judge, fixed: Setting | None, seed: int
) -> FittedProbe:
    """Choose C on val; see `Probe`."""
    scaling = Standardisation.of(train.features)
    lists = {"C": STRENGTHS if fixed is None else (fixed["C"],)}
    path = RegularisationPath(judge.mode, Labelled(scaling.apply(train.features), train.targets))
    best: tuple[Score, float, LinearHead] | None = None
    tried: list[dict[str, object]] = []
    worse = 0
    for strength in lists["C"]:
        head = scaling.on_raw(*path.fit(strength))
        score = judge.score(head.probs(judge.mode, val.features))
        tried.append({"C": strength, **judge.row(score)})
        if best is None or score > best[0]:
            best, worse = (score, strength, head), 0
        else:
            worse += 1
        if worse == PATIENCE:
            break
    assert best is not None
    _, strength, head = best
    chosen = {"C": strength}
    return FittedProbe(
        lambda features: head.probs(judge.mode, features), chosen, edges(chosen, lists), tried, head
    )


class RegularisationPath:
    """Logistic regressions of one training set, each of which starts from the one before.

    With fewer samples than features these are turned into the samples' own span first, in which
    the solution lies.

    Args:
        mode: of the targets.
        train: standardised.
    """

    def __init__(self, mode: LabelMode, train: Labelled) -> None:
        self.mode = mode
        self.targets = train.targets
        self.rotation: np.ndarray | None = None
        self.features = train.features
        if len(train) < train.features.shape[1]:
            left, values, self.rotation = np.linalg.svd(train.features, full_matrices=False)
            self.features = left * values
        self.models = {number: self._model() for number, _ in self._problems()}

    def fit(self, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights (num_outputs, D) and biases (num_outputs,) for one C."""
        wide = self.features.shape[1]
        weight = np.zeros((self.mode.num_outputs, wide))
        bias = np.array(self.mode.prior_logits(self.targets), np.float64)
        for number, rows in self._problems():
            targets = self.targets if number is None else self.targets[:, number]
            if len(np.unique(targets[rows])) < 2:
                continue  # a label that all or none have: its share alone is known
            model = self.models[number]
            model.C = strength
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # steps are bounded on purpose
                model.fit(self.features[rows], targets[rows])
            if number is None:
                self._put(model, weight, bias)
            else:
                weight[number], bias[number] = model.coef_[0], model.intercept_[0]
        return (weight if self.rotation is None else weight @ self.rotation), bias

    def _put(self, model: LogisticRegression, weight: np.ndarray, bias: np.ndarray) -> None:
        """Put the fit of exclusive classes, of which train may lack some, in their places."""
        if len(bias) == 1:
            weight[0], bias[0] = model.coef_[0], model.intercept_[0]
            return
        coef, intercept = model.coef_, model.intercept_
        if len(coef) == 1:  # of two classes scikit-learn gives one logit
            coef = np.stack([np.zeros_like(coef[0]), coef[0]])
            intercept = np.array([0.0, intercept[0]])
        present = model.classes_
        lacking = np.setdiff1d(np.arange(len(bias)), present)
        weight[present], bias[present] = coef, intercept
        bias[lacking] = intercept.min() + np.log(0.5 / len(self.targets))

    def _problems(self) -> Iterator[tuple[int | None, np.ndarray]]:
        """One for all classes, or one a label with the samples whose label is known."""
        if self.targets.ndim == 1:
            yield None, np.arange(len(self.targets))
            return
        for number in range(self.targets.shape[1]):
            yield number, np.flatnonzero(self.targets[:, number] >= 0)

    def _model(self) -> LogisticRegression:
        return LogisticRegression(max_iter=STEPS, tol=TOLERANCE, warm_start=True)
