"""Target of an evaluation: the stored model, the names of its results, and its predictions."""

import logging
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from sightline.config.data_addresses import addresses_in
from sightline.config.schema import TrainConfig
from sightline.data.source_data import Split
from sightline.errors import DamagedError, UserError, counted
from sightline.evaluation.overrides import DataOverrides
from sightline.evaluation.samples import Samples, check_same, other_samples, own_samples
from sightline.evaluation.seen import SEEN_IN, UNSEEN, PixelRecorder, Seen, find_seen
from sightline.evaluation.settings import EvaluationSettings
from sightline.evaluation.stored_model import StoredModel
from sightline.inference.device import choose_device
from sightline.inference.model import LoadedModel
from sightline.inference.split_probs import probs_on, readable
from sightline.inference.views import View, averaged_views, corrupted_views
from sightline.predictions import Predictions, with_columns
from sightline.training.logging.evaluation import SECTIONS

log = logging.getLogger(__name__)

RESERVED = {*SECTIONS, *SECTIONS.values(), "system", "epochs"}
Corrupted = dict[tuple[str, int], np.ndarray]


@dataclass(frozen=True)
class EvaluationTarget:
    """Predictions to evaluate, and the names of their results.

    Attributes:
        name: of the logged files.
        prefix: of the metrics' keys.
        table: uncalibrated predictions.
        samples: of the predictions; None where a stored table is used.
        corrupted: probabilities (N, C) by corruption and severity; empty where not requested.
        digest: of the data; None where it is the run's own.
        seen: which images of other data were in the run's train or val; None for its own.
    """

    name: str
    prefix: str
    table: Predictions
    samples: Samples | None
    corrupted: Corrupted
    digest: str | None
    seen: Seen | None = None

    def without_seen(self) -> Self:
        """The images that were in neither train nor val, under a name of their own.

        Raises:
            UserError: it was not checked which these are, or none is left.
        """
        if self.seen is None:
            raise UserError("exclude_seen=true is for other data: give data=SOURCE or name=NAME.")
        if self.seen.unchecked:
            raise UserError(f"exclude_seen=true: {self.seen.describe()}.")
        rows = np.flatnonzero(self.seen.where == "")
        if not len(rows):
            raise UserError(f"exclude_seen=true: nothing is left, {self.seen.describe()}.")
        samples, digest = self.samples, self.digest
        if samples is not None:
            samples = replace(samples, split=samples.split.select(rows))
            digest = samples.split.digest(samples.contents)
        return replace(
            self,
            name=self.name + UNSEEN,
            prefix=self.prefix + UNSEEN,
            table=self.table.select(rows),
            samples=samples,
            corrupted={view: probs[rows] for view, probs in self.corrupted.items()},
            digest=digest,
            seen=replace(self.seen, where=self.seen.where[rows]),
        )

    def inspects(self, split: str) -> bool:
        """Whether these are samples of this split of the run's own data."""
        return self.digest is None and self.prefix.startswith(SECTIONS[split])


def stored_target(
    stored: StoredModel, settings: EvaluationSettings, changes: DataOverrides
) -> EvaluationTarget | None:
    """The run's stored predictions; None where they are missing or the settings need the model."""
    requested = settings.tta or settings.robustness or settings.predict_again or settings.name
    if requested or changes.data or not stored.is_best or stored.run is None:
        return None
    try:
        table = Predictions.read(stored.run.file(f"predictions/{settings.split}.parquet"))
    except DamagedError as error:
        log.warning("%sThe model predicts anew.", error)
        return None
    except UserError:
        log.info("stored predictions: none of %s", settings.split)
        return None
    mode = stored.model.label_mode
    if (table.class_names, table.label_mode) != (mode.class_names, mode.name):
        raise UserError(
            f"The stored predictions of {settings.split} are of other classes than the checkpoint."
        )
    return EvaluationTarget(settings.split, SECTIONS[settings.split], table, None, {}, None)


def predicted_target(
    stored: StoredModel, config: TrainConfig, trained_on: TrainConfig,
    settings: EvaluationSettings, changes: DataOverrides,
) -> EvaluationTarget:  # fmt: skip
    """Predictions of the model on images.

    Args:
        stored: the model.
        config: of the training, with the overrides of its data.
        trained_on: the same without the overrides.
        settings: of the evaluation.
        changes: overrides.

    Raises:
        UserError: the data cannot be read, is not the run's own, or has other classes.
    """
    model = stored.model
    if changes.decode:
        model = model.with_decode(config.data_common.decode)
    own = not changes.other_data
    named = addresses_in(changes.data)
    samples = (own_samples(config, model.label_mode, settings.split, named) if own
               else other_samples(config, model.label_mode, settings.split))  # fmt: skip
    if own and settings.name is None:
        params = stored.run.params if stored.run else {}
        check_same(samples, params.get(f"data.digest.{settings.split}"), settings.split)
    split = samples.split
    if config.data_common.on_error == "skip":
        split, reasons = readable(model, split)
        if reasons:
            one, many = "image that cannot be read is", "images that cannot be read are"
            log.warning("%s left out: %s", counted(len(reasons), one, many), reasons[0])
    views = averaged_views(settings.tta, stored.config["augment"]) if settings.tta else {}
    pixels = PixelRecorder()
    requested: dict[tuple[str, int], View] = {("", 0): pixels}
    requested |= {(name, 0): view for name, view in views.items()}
    requested |= corrupted_views() if settings.robustness else {}
    model.to(choose_device(settings.device))
    found = probs_on(model, split, requested, config.data_common.num_workers)
    probs = found.pop(("", 0))
    if views:
        probs = np.stack([found.pop((name, 0)) for name in views]).mean(axis=0, dtype=np.float64)
    name, prefix = _names(stored, settings, samples, own and settings.name is None)
    table = _table(model, split, probs)
    chosen = replace(samples, split=split)
    if own and settings.name is None:
        return EvaluationTarget(name, prefix, table, chosen, found, None)
    seen = find_seen(stored.run, trained_on, model.label_mode, chosen, pixels.digests)
    table.metadata[SEEN_IN] = seen.where
    return EvaluationTarget(name, prefix, table, chosen, found, samples.digest, seen)


def _table(model: LoadedModel, split: Split, probs: np.ndarray) -> Predictions:
    table = Predictions(
        ids=np.array(split.ids.to_pylist(), dtype=str),
        targets=np.ascontiguousarray(split.targets),
        probs=probs.astype(np.float32),
        class_names=model.class_names,
        label_mode=model.label_mode.name,
    )
    return with_columns(table, split.metadata, split.groups)


def _names(
    stored: StoredModel, settings: EvaluationSettings, samples: Samples, own: bool
) -> tuple[str, str]:
    """Name of the files and prefix of the metrics' keys."""
    averaged = "_tta" if settings.tta else ""
    if own:
        other = "" if stored.is_best or stored.run is None else f"_{stored.path.stem}"
        return settings.split + other + averaged, SECTIONS[settings.split] + other + averaged
    name = settings.name or _plain(samples.name)
    if name in RESERVED:
        raise UserError(
            f"name={name}: {name!r} is reserved for the run's own data; give other data another "
            "name: name=NAME."
        )
    return name + averaged, name + averaged


def _plain(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in name)
    return kept if kept[:1].isalpha() else f"data_{kept}"
