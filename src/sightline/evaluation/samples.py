"""Samples to evaluate: a split of the run's own data, checked by digest, or other data."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from sightline.config.schema import TrainConfig
from sightline.data.cache.digests import content_digests
from sightline.data.from_config import read_given, read_source
from sightline.data.known_addresses import check_addresses
from sightline.data.reading.images import SelectedImages
from sightline.data.source_data import SourceData, Split
from sightline.errors import UserError, did_you_mean
from sightline.label_modes.base import LabelMode
from sightline.types import MISSING

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Samples:
    """Samples of one split with their digests.

    Attributes:
        name: of the data set.
        split: with targets as the model's label mode encodes them.
        contents: content digests of `split.images`.
        digest: over ids, targets and images.
    """

    name: str
    split: Split
    contents: np.ndarray
    digest: str


def own_samples(
    config: TrainConfig, label_mode: LabelMode, name: str, addresses: Collection[str] = ()
) -> Samples:
    """A split of a stored config's own data, split as in training.

    Args:
        config: the config, as a file holds it but for overrides.
        label_mode: of the model.
        name: of the split.
        addresses: of data that this command names.

    Raises:
        UserError: the data is read in sequence and has no such split, or is at an address that
            the user did not name.
    """
    check_addresses(config.data, "The stored config", addresses)
    source = read_source(config)
    if name not in source.splits:
        raise UserError(f"split={name}: {source.name} is read in sequence and has no such split.")
    return _samples(source, source.splits[name], label_mode)


def other_samples(config: TrainConfig, label_mode: LabelMode, name: str) -> Samples:
    """A split of other data, or all of it where it is not split.

    Raises:
        UserError: the data has other splits, or samples of a class that the model does not know.
    """
    source = read_given(config)
    split = source.splits.get(name)
    if split is None and set(source.splits) == {"train"}:
        split = source.splits["train"]
        log.info("data:    %s has no splits: all of it is evaluated", source.name)
    if split is None:
        raise UserError(
            f"split={name}: {source.name} ({source.location}) has no such split; it has "
            f"{', '.join(source.splits)}."
        )
    for note in source.notes:
        log.info("reading: %s", note)
    if source.left_out:
        log.warning("data:    left out: %s", source.left_out.describe())
    if source.compose is not None:
        split = source.compose(name, split)
    return _samples(source, split, label_mode)


def check_same(samples: Samples, trained_on: str | None, what: str) -> None:
    """Check that a split of the run's own data is unchanged since the training.

    Args:
        samples: as they are now.
        trained_on: digest that the run logged; None where it is not known.
        what: name of the split, for the message.

    Raises:
        UserError: the digests differ.
    """
    if trained_on is None:
        log.warning("The run logged no digest of its data: it cannot be checked.")
    elif samples.digest != trained_on:
        raise UserError(
            f"The {what} data differs from what the run had (digest {samples.digest}, then "
            f"{trained_on}): images, labels or the split have changed. Restore the data, or "
            "evaluate it as other data: name=NAME."
        )


def _samples(source: SourceData, split: Split, label_mode: LabelMode) -> Samples:
    images = SelectedImages(split.images, split.rows)
    targets = match_classes(source, split.targets, label_mode)
    chosen = replace(split, images=images, rows=np.arange(len(split)), targets=targets)
    contents = content_digests(images)
    return Samples(source.name, chosen, contents, chosen.digest(contents))


def match_classes(source: SourceData, targets: np.ndarray, label_mode: LabelMode) -> np.ndarray:
    """Targets re-encoded from the source's classes to the model's, matched by name.

    A label that the data does not have is unknown for its samples; an absent class is logged.

    Raises:
        UserError: samples of a class that the model does not know.
    """
    known, names = label_mode.class_names, source.class_names
    label_mode.check(targets, f"{source.name} ({source.location})")
    multi_label = targets.ndim == 2
    used = (
        (targets == 1).any(axis=0)
        if multi_label
        else np.bincount(targets, minlength=len(names)) > 0
    )
    unknown = [name for name, there in zip(names, used, strict=True) if there and name not in known]
    if unknown:
        raise UserError(
            f"{source.name} ({source.location}) has samples of {unknown[0]!r}"
            + (f" and {len(unknown) - 1} more classes" if len(unknown) > 1 else "")
            + f", which the model does not know.{did_you_mean(unknown[0], known)} Its classes: "
            f"{', '.join(known[:20])}."
        )
    absent = [name for name in known if name not in names]
    if absent:
        log.warning(
            "%s has no class %s: its metrics are undefined.", source.name, ", ".join(absent[:20])
        )
    place = {name: index for index, name in enumerate(known)}
    if not multi_label:
        return np.array([place.get(name, 0) for name in names], np.int64)[targets]
    matched = np.full((len(targets), len(known)), MISSING, np.int8)
    for index, name in enumerate(names):
        if name in place:
            matched[:, place[name]] = targets[:, index]
    return matched
