"""Likely label errors, by confident learning (Northcutt et al. 2021, cleanlab)."""

import warnings
from dataclasses import dataclass

import numpy as np

from sightline.errors import UserError, counted
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Gallery, Section, Table
from sightline.reports.section_inputs import ReadImage
from sightline.reports.thumbnails import sample_tile

# Of a model that errs more often, most contradictions are its own errors: the page's first lines
# do not count them as the labels'.
MOST_WRONG = 0.1


@dataclass(frozen=True)
class Suspect:
    """A label that the model's probabilities contradict.

    Attributes:
        row: of the sample.
        given: the label as it is, as text.
        likely: the more likely label, as text.
        confidence: the model's probability of the given label, in [0, 1].
        classes: columns of the probabilities that are shown.
    """

    row: int
    given: str
    likely: str
    confidence: float
    classes: list[int]


def find_suspects(evaluated: EvaluatedSplit) -> list[Suspect]:
    """Suspects in ascending order of confidence.

    Exclusive classes are one problem of C classes; other labels are one binary problem each, over
    the samples where the label is known.

    Raises:
        UserError: cleanlab is not installed.
    """
    if evaluated.label_mode.exclusive:
        found = _exclusive(evaluated)
    else:
        found = [s for label in evaluated.one_vs_rest for s in _one_label(evaluated, label)]
    return sorted(found, key=lambda suspect: suspect.confidence)


def _exclusive(evaluated: EvaluatedSplit) -> list[Suspect]:
    names, targets, probs = evaluated.class_names, evaluated.table.targets, evaluated.table.probs
    suspects = []
    for row in _ranked_issues(targets, probs):
        given, likely = int(targets[row]), int(probs[row].argmax())
        confidence = float(probs[row, given])
        suspects.append(Suspect(row, names[given], names[likely], confidence, [given, likely]))
    return suspects


def _one_label(evaluated: EvaluatedSplit, label: int) -> list[Suspect]:
    known = np.flatnonzero(~np.isnan(evaluated.truth[:, label]))
    given = evaluated.truth[known, label].astype(int)
    present = evaluated.table.probs[known, label].astype(float)
    name = evaluated.class_names[label]
    words = (f"no {name}", name)
    return [
        Suspect(
            int(known[i]), words[given[i]], words[1 - given[i]],
            float(present[i] if given[i] else 1 - present[i]), [label],
        )
        for i in _ranked_issues(given, np.stack([1 - present, present], axis=1))
    ]  # fmt: skip


def _ranked_issues(labels: np.ndarray, probs: np.ndarray) -> list[int]:
    try:
        from cleanlab.filter import find_label_issues
    except ModuleNotFoundError as error:
        raise UserError(
            "Likely label errors are found by cleanlab, which is not installed: "
            "pip install 'sightline[labels]'."
        ) from error
    if len(np.unique(labels)) < 2:
        return []  # a single class: there is nothing to compare with
    with warnings.catch_warnings():
        # Of a class of few samples none are suspected, which is as it should be.
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        ranked = find_label_issues(
            labels, probs.astype(float), return_indices_ranked_by="self_confidence", n_jobs=1
        )
    return [int(i) for i in ranked]


def _share_wrong(evaluated: EvaluatedSplit) -> float:
    """The share of wrong decisions: of samples, or of known labels where labels are problems."""
    if evaluated.label_mode.exclusive:
        return float(evaluated.wrong.mean())
    known = ~np.isnan(evaluated.truth)
    return float((evaluated.truth != evaluated.decision_rows)[known].mean()) if known.any() else 1.0


def label_errors_report(
    evaluated: EvaluatedSplit, read_image: ReadImage, count: int, max_samples: int
) -> Section:
    """Section with a table of suspects and a gallery of the likeliest.

    Args:
        evaluated: predictions of samples that the model was not trained on.
        read_image: reads an image by its id.
        count: images in the gallery.
        max_samples: of a larger split only the first `max_samples` are inspected.
    """
    suspects = find_suspects(evaluated.select(slice(max_samples)))
    rows = [(str(evaluated.table.ids[s.row]), s.given, s.likely, s.confidence) for s in suspects]
    tiles = [sample_tile(evaluated, s.row, read_image, s.classes) for s in suspects[:count]]
    inspected = min(len(evaluated.table), max_samples)
    of = f"{counted(inspected, 'sample')} of {evaluated.split}"
    reliable = _share_wrong(evaluated) <= MOST_WRONG
    if not suspects:
        text = f"None among {of}, by confident learning (cleanlab)."
        return Section("Likely label errors", text, [])
    text = (
        f"{counted(len(suspects), 'label')} among {of}, which the model's own "
        "probabilities contradict more than by chance (confident learning, cleanlab). Check them; "
        f"the model can be wrong as well. It decided by {evaluated.decided_by}."
    )
    columns = ("id", "label", "more likely", "probability of the label")
    return Section(
        "Likely label errors",
        text,
        [
            Gallery("likeliest_label_errors", "The likeliest", tiles),
            Table("label_errors", "All of them", columns, rows),
        ],
        finding=f"{counted(len(suspects), 'likely label error')} among {of}" if reliable else None,
    )
