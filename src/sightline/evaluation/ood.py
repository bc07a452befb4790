"""Unknown images: how well scores of a run's model tell them from the images of its own split."""

from collections.abc import Sequence
from dataclasses import asdict

from rich import box, get_console
from rich.table import Table

from sightline.errors import UserError
from sightline.evaluation.destination import original_run
from sightline.evaluation.ood_checks import check_unknown_files, known_digests, named_sets
from sightline.evaluation.ood_outputs import MeasuredScore, measure
from sightline.evaluation.ood_page import log_unknown_page
from sightline.evaluation.options import EvaluateOptions
from sightline.evaluation.overrides import DataOverrides, compose_now
from sightline.evaluation.run_export import own_splits
from sightline.inference.device import choose_device
from sightline.inference.load import load_checkpoint
from sightline.inference.model import LoadedModel
from sightline.io.console import log_to_console
from sightline.io.csv_files import to_csv
from sightline.models.ensemble import Ensemble
from sightline.tracking.mlflow.stored_run import find_checkpoint_file


def evaluate_unknown(options: EvaluateOptions, changes: DataOverrides) -> list[dict[str, object]]:
    """Measure scores on sets of unknown images, print them, and log them to the run.

    Args:
        options: with `ood`: folders of unknown images, each a set; NAME:FOLDER gives it a name.
        changes: of the tracking store.

    Returns:
        A row for each set and score, as in `ood/scores.csv`.

    Raises:
        UserError: the run's own data is gone, or a folder holds images of its training.
    """
    run, uri, split = str(options.run), options.uri, options.split
    sets = named_sets(options.ood)
    tracking = compose_now(changes)[0].tracking
    tracking = tracking.model_copy(update={"uri": uri or tracking.uri})
    with log_to_console():
        checkpoint, stored = find_checkpoint_file(run, uri)
        if stored is None:
            raise UserError(f"run={run}: {checkpoint} is a checkpoint without its run; give that.")
        model = load_checkpoint(checkpoint, options.plugins).to(choose_device(options.device))
        scores = _scores(model, options)
        own = own_splits(checkpoint, options.plugins)
        if own is None or split not in own:
            raise UserError(f"ood: the run's own {split} images, to compare with, are gone.")
        known = known_digests(stored, own, split)
        for name, inputs in sets.items():
            check_unknown_files(name, inputs, known)
        found = measure(model, own, split, sets, scores, known)
        _print(found)
        rows = _rows(found)
        with original_run(stored, tracking) as (tracker, _):
            for each in found:
                keys = {
                    f"ood_{each.set_name}/{each.score}_{key}": value
                    for key, value in each.detection.values.items()
                }
                tracker.log_metrics(keys, step=0, overwrite=True)
            tracker.log_data(to_csv(rows), "ood/scores.csv")
            if options.report:
                log_unknown_page(tracker, stored.name, split, model.tuning.ood, found)
    return rows


def _scores(model: LoadedModel, options: EvaluateOptions) -> Sequence[str]:
    """Those that are asked for; by default all of logits that have a scale.

    Raises:
        UserError: the energy of logarithms of mean probabilities, which is 0 but for rounding.
    """
    network, scores = model.classifier.network, options.scores
    means = isinstance(network, Ensemble) and network.how == "probs" and network.exclusive
    if means and "scores" not in options.model_fields_set:
        return [score for score in scores if score != "energy"]
    if means and "energy" in scores:
        raise UserError(
            "scores=energy: this ensemble is the mean of probabilities, whose logits have no scale "
            "(their energy is 0); give scores=[msp], or make it with how=logits."
        )
    return scores


def _rows(found: Sequence[MeasuredScore]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for each in found:
        detection = each.detection
        row: dict[str, object] = {
            "set": each.set_name, "score": each.score, "threshold": detection.threshold
        }  # fmt: skip
        for key, value in detection.values.items():
            ends = detection.intervals[key]
            about = asdict(ends) if ends else {"low": None, "high": None}
            row |= {key: value, f"{key}_low": about["low"], f"{key}_high": about["high"]}
        rows.append(row)
    return rows


def _print(found: Sequence[MeasuredScore]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("unknown set", "score", "AUROC", "FPR at 95 %", "AUPR"):
        table.add_column(title, justify="left" if title in ("unknown set", "score") else "right")
    for each in found:
        cells = []
        for key, value in each.detection.values.items():
            ends = each.detection.intervals[key]
            cells.append(f"{value:.4f}" + (f" [{ends.low:.3f}, {ends.high:.3f}]" if ends else ""))
        table.add_row(each.set_name, each.score, *cells)
    get_console().print(table)
