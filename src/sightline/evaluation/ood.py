"""Unknown images: how well scores of a run's model tell them from the images of its own split."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from rich import box, get_console
from rich.table import Table

from sightline.data.cache.digests import content_digests
from sightline.data.reading.images import Images, SelectedImages
from sightline.data.reading.transforms import ImageTransform
from sightline.data.source_data import Split
from sightline.errors import UserError
from sightline.evaluation.destination import original_run
from sightline.evaluation.options import EvaluateOptions
from sightline.evaluation.overrides import DataOverrides, compose_now
from sightline.evaluation.run_export import own_splits
from sightline.inference.device import choose_device
from sightline.inference.image_batches import image_batches
from sightline.inference.inputs import Inputs, read_inputs
from sightline.inference.load import load_checkpoint
from sightline.inference.model import LoadedModel
from sightline.io.console import log_to_console
from sightline.io.csv_files import to_csv
from sightline.metrics.ood_detection import Detection, detect
from sightline.metrics.ood_scores import OF_FEATURES, ModelOutputs, score_of
from sightline.models.ensemble import Ensemble
from sightline.tracking.mlflow.stored_run import find_checkpoint_file

log = logging.getLogger(__name__)


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
        sets = {name: read_inputs(path) for name, path in _named(options.ood).items()}
        for name, inputs in sets.items():
            _check_unseen(name, inputs, own)
        found = _measure(model, own, split, sets, scores)
        _print(found)
        rows = _rows(found)
        with original_run(stored, tracking) as (tracker, _):
            for (name, score), each in found.items():
                keys = {f"ood_{name}/{score}_{key}": v for key, v in each.values.items()}
                tracker.log_metrics(keys, step=0, overwrite=True)
            tracker.log_data(to_csv(rows), "ood/scores.csv")
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


def _measure(
    model: LoadedModel, own: Mapping[str, Split], split: str, sets: Mapping[str, Inputs],
    scores: Sequence[str],
) -> dict[tuple[str, str], Detection]:  # fmt: skip
    """The detection of each set by each score."""
    with_features = not set(scores).isdisjoint(OF_FEATURES)
    known = _outputs(model, _images(own[split]), with_features, split)
    unknown = {n: _outputs(model, each.images, with_features, n) for n, each in sets.items()}
    train = known  # which scores of logits do not read
    if with_features:
        train = _outputs(model, _images(own["train"]), with_features, "train")
    targets, exclusive = own["train"].targets, model.label_mode.exclusive
    found: dict[tuple[str, str], Detection] = {}
    for score in scores:
        base = score_of(score, known, train, targets, exclusive)
        for name, given in unknown.items():
            away = score_of(score, given, train, targets, exclusive)
            found[name, score] = detect(base, away, own[split].groups)
    return found


def _named(folders: Sequence[str]) -> dict[str, str]:
    """Names and folders; without a name the folder's own."""
    found: dict[str, str] = {}
    for given in folders:
        name, colon, path = given.partition(":")
        if not colon or Path(given).expanduser().exists():
            name, path = Path(given).expanduser().name, given
        if not Path(path).expanduser().exists():
            raise UserError(f"ood={given}: there is no folder {path}.")
        if name in found:
            raise UserError(f"ood: two sets are called {name}; give NAME:FOLDER.")
        found[name] = path
    return found


def _check_unseen(name: str, inputs: Inputs, own: Mapping[str, Split]) -> None:
    """Refuse images that the model was trained or chosen on, by the bytes of their files."""
    digests = [row.tobytes() for row in content_digests(inputs.images)]
    names = inputs.paths.to_pylist()
    for split in ("train", "val"):
        seen = {row.tobytes() for row in content_digests(_images(own[split])) if row.any()}
        there = [place for place, digest in enumerate(digests) if digest in seen]
        if there:
            raise UserError(
                f"ood: {len(there)} of {len(digests)} images of {name} are in the run's {split}, "
                f"by the bytes of their files: {names[there[0]]}, for one. They are not unknown: "
                "remove them."
            )


def _images(split: Split) -> Images:
    return SelectedImages(split.images, split.rows)


def _outputs(model: LoadedModel, images: Images, with_features: bool, name: str) -> ModelOutputs:
    """Logits and features; images that cannot be read are left out of unknown sets alone."""
    logits, features, bad = [], [], 0
    transform = ImageTransform(model.preprocess)
    for batch in image_batches(images, transform, 0, model.batch_size, "auto"):
        bad += len(batch.errors)
        if len(batch.images):
            logits.append(model.logits(batch.images))
            if with_features:
                features.append(model.features(batch.images))
    if not logits:
        raise UserError(f"ood: none of the images of {name} can be read.")
    if bad and name in ("train", "val", "test"):
        raise UserError(f"ood: {bad} images of the run's {name} cannot be read.")
    if bad:
        log.warning("%s: %d images cannot be read, and are left out.", name, bad)
    empty = torch.empty(0, 0)
    return ModelOutputs(
        torch.cat(logits).double().numpy(),
        (torch.cat(features) if features else empty).double().numpy(),
    )


def _rows(found: Mapping[tuple[str, str], Detection]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for (name, score), each in found.items():
        row: dict[str, object] = {"set": name, "score": score, "threshold": each.threshold}
        for key, value in each.values.items():
            ends = each.intervals[key]
            about = asdict(ends) if ends else {"low": None, "high": None}
            row |= {key: value, f"{key}_low": about["low"], f"{key}_high": about["high"]}
        rows.append(row)
    return rows


def _print(found: Mapping[tuple[str, str], Detection]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("unknown set", "score", "AUROC", "FPR at 95 %", "AUPR"):
        table.add_column(title, justify="left" if title in ("unknown set", "score") else "right")
    for (name, score), each in found.items():
        cells = []
        for key, value in each.values.items():
            ends = each.intervals[key]
            cells.append(f"{value:.4f}" + (f" [{ends.low:.3f}, {ends.high:.3f}]" if ends else ""))
        table.add_row(name, score, *cells)
    get_console().print(table)
