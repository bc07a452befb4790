"""What is evaluated, under which name, and the table of predictions that it comes to."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.config.schema import Node, TrainConfig
from sightline.errors import UserError
from sightline.evaluation.data import Samples, check_same, other_samples, own_samples
from sightline.evaluation.overrides import DataOverrides
from sightline.evaluation.settings import EvaluationSettings
from sightline.inference.device import choose_device
from sightline.inference.model import LoadedModel
from sightline.inference.splits import probs_on, readable
from sightline.inference.views import as_it_is, averaged_views, corrupted_views
from sightline.predictions import Predictions, with_metadata
from sightline.runs.folder import BEST
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.training.logging.evaluation import SECTIONS

log = logging.getLogger(__name__)

RESERVED = {*SECTIONS, *SECTIONS.values(), "system", "epochs"}
Corrupted = dict[tuple[str, int], np.ndarray]


@dataclass(frozen=True)
class Trained:
    """A checkpoint and where it comes from.

    Attributes:
        path: its file.
        run: that made it; None where that is not known.
        model: on the CPU.
        config: that it was trained with, all but `tracking`.
    """

    path: Path
    run: StoredRun | None
    model: LoadedModel
    config: Node

    @property
    def is_best(self) -> bool:
        """Whether the run's own figures are of this checkpoint."""
        return self.run is not None and self.path.name == Path(BEST).name


@dataclass(frozen=True)
class Subject:
    """What came of the model on some samples.

    Attributes:
        name: of the files.
        prefix: of the metrics.
        table: of the predictions; uncalibrated.
        samples: what they are of; None where the stored table did.
        corrupted: probabilities under corruptions; empty where not asked for.
        digest: of the data where it is not the run's own.
    """

    name: str
    prefix: str
    table: Predictions
    samples: Samples | None
    corrupted: Corrupted
    digest: str | None


def stored_target(
    trained: Trained, settings: EvaluationSettings, changes: DataOverrides
) -> Subject | None:
    """From the run's stored table, where that is all that is asked for; else None."""
    asked = settings.tta or settings.robustness or settings.predict_again or settings.name
    if asked or changes.data or not trained.is_best or trained.run is None:
        return None
    try:
        table = Predictions.read(trained.run.file(f"predictions/{settings.split}.parquet"))
    except UserError:
        log.info("stored predictions: none of %s", settings.split)
        return None
    mode = trained.model.label_mode
    if (table.class_names, table.label_mode) != (mode.class_names, mode.name):
        raise UserError(
            f"The stored predictions of {settings.split} are of other classes than the checkpoint."
        )
    return Subject(settings.split, SECTIONS[settings.split], table, None, {}, None)


def predicted_target(
    trained: Trained, config: TrainConfig, settings: EvaluationSettings, changes: DataOverrides
) -> Subject:
    """From the images themselves.

    Args:
        trained: the model.
        config: of the training, with what changes in its data.
        settings: of the evaluation.
        changes: of the data.

    Raises:
        UserError: the data cannot be read, is not the run's own, or has other classes.
    """
    model = trained.model
    own = not changes.other_data
    read = own_samples if own else other_samples
    samples = read(config, model.label_mode, settings.split)
    if own and settings.name is None:
        params = trained.run.params if trained.run else {}
        check_same(samples, params.get(f"data.digest.{settings.split}"), settings.split)
    split = samples.split
    if config.data_common.on_error == "skip":
        split, reasons = readable(model, split)
        if reasons:
            log.warning("%d images cannot be read and are left out, such as: %s",
                        len(reasons), reasons[0])  # fmt: skip
    views = averaged_views(settings.tta, trained.config["augment"]) if settings.tta else {}
    asked = {("", 0): as_it_is} | {(name, 0): view for name, view in views.items()}
    asked |= corrupted_views() if settings.robustness else {}
    model.to(choose_device(settings.device))
    found = probs_on(model, split, asked, config.data_common.num_workers)
    probs = found.pop(("", 0))
    if views:
        probs = np.stack([found.pop((name, 0)) for name in views]).mean(axis=0, dtype=np.float64)
    table = Predictions(
        ids=np.array(split.ids.to_pylist(), dtype=str),
        targets=np.ascontiguousarray(split.targets),
        probs=probs.astype(np.float32),
        class_names=model.class_names,
        label_mode=model.label_mode.name,
    )
    name, prefix = _names(trained, settings, samples, own and settings.name is None)
    table = with_metadata(table, split.metadata)
    digest = None if own and settings.name is None else samples.digest
    return Subject(name, prefix, table, replace(samples, split=split), found, digest)


def _names(
    trained: Trained, settings: EvaluationSettings, samples: Samples, own: bool
) -> tuple[str, str]:
    """Of the files and of the metrics: of the run's own best checkpoint the split's own."""
    averaged = "_tta" if settings.tta else ""
    if own:
        other = "" if trained.is_best or trained.run is None else f"_{trained.path.stem}"
        return settings.split + other + averaged, SECTIONS[settings.split] + other + averaged
    name = settings.name or _plain(samples.name)
    if name in RESERVED:
        raise UserError(
            f"name={name}: {name!r} is what the run's own data is called; give other data another "
            "name: name=NAME."
        )
    return name + averaged, name + averaged


def _plain(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in name)
    return kept if kept[:1].isalpha() else f"data_{kept}"
