"""Probes of features: accuracy of nearest neighbours and of a logistic regression."""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

NEIGHBOURS = 20
FOLDS = 5
MAX_SAMPLES = 20_000  # larger tables are sampled


def probe_rows(
    features: np.ndarray, targets: np.ndarray, train: np.ndarray | None, seed: int = 0
) -> list[dict[str, Any]]:
    """A row for each probe: name, method of measurement, samples, accuracy and macro F1.

    The neighbours are the 20 nearest by cosine; the regression is of standardised features.
    Multi-label accuracy is over all labels.

    Args:
        features: shape (N, D).
        targets: class indices (N,), or rows of 0 and 1 (N, L).
        train: shape (N,), bool: the samples to fit on, the others being measured; None for 5-fold
            cross-validation.
        seed: of the folds, and of the sample where there are more than 20,000 rows.
    """
    if len(features) > MAX_SAMPLES:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(features))[:MAX_SAMPLES])
        features, targets = features[chosen], targets[chosen]
        train = None if train is None else train[chosen]
    rows = []
    for name, model in _probes(len(features), targets.ndim == 2).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # its steps are bounded on purpose
            warnings.filterwarnings("ignore", message="Label .* is present in all")
            if train is None:
                measured, how = targets, f"{FOLDS}-fold cross-validation"
                decided = cross_val_predict(model, features, targets, cv=_folds(targets, seed))
            else:
                measured, how = targets[~train], "fitted on train"
                decided = model.fit(features[train], targets[train]).predict(features[~train])
        accuracy = accuracy_score(np.ravel(measured), np.ravel(decided))
        f1 = f1_score(measured, decided, average="macro", zero_division=0)
        rows.append(
            {"probe": name, "measured": how, "samples": len(measured),
             "accuracy": float(accuracy), "f1_macro": float(f1)}
        )  # fmt: skip
    return rows


def _probes(count: int, multi_label: bool) -> dict[str, Any]:
    neighbours = min(NEIGHBOURS, max(1, count // 10))
    logistic: Any = LogisticRegression(max_iter=500)
    if multi_label:
        logistic = OneVsRestClassifier(logistic)
    return {
        f"{neighbours} nearest neighbours": make_pipeline(
            Normalizer(), KNeighborsClassifier(neighbours)
        ),
        "logistic regression": make_pipeline(StandardScaler(), logistic),
    }


def _folds(targets: np.ndarray, seed: int) -> KFold | StratifiedKFold:
    kind = KFold if targets.ndim == 2 else StratifiedKFold
    return kind(FOLDS, shuffle=True, random_state=seed)
