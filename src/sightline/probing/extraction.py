"""Features of all images by a backbone: taken from the cache, or computed once and kept there."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sightline.config.probe_names import Pooling
from sightline.config.schema import TrainConfig
from sightline.data.cache.images import TrainingForm, cache_images
from sightline.data.cache.skipped import SkippedSample, skip_unreadable
from sightline.data.source_data import Split
from sightline.models.pooling import width_of
from sightline.probing.backbone import Backbone
from sightline.probing.data import Collection, ProbeData
from sightline.probing.fitted import Labelled
from sightline.probing.forward import append_features, image_batches
from sightline.probing.stored_features import FeatureFile, Stored, features_key
from sightline.training.devices import uses_gpu
from sightline.training.trials import training_device

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitFeatures:
    """Features of each split by one pooling, and the samples that they are of.

    Attributes:
        labelled: features and targets of each split.
        splits: without the samples whose images cannot be read.
        skipped: these samples.
        images_per_s: of the forward pass.
    """

    labelled: dict[str, Labelled]
    splits: dict[str, Split]
    skipped: list[SkippedSample]
    images_per_s: float


def extract(
    backbone: Backbone, data: ProbeData, poolings: tuple[Pooling, ...], names: Sequence[str]
) -> dict[Pooling, SplitFeatures]:
    """Features of splits by each pooling; all that are missing come from one forward pass.

    Args:
        backbone: on the CPU.
        data: its splits.
        poolings: which of them.
        names: of the splits.

    Raises:
        UserError: an image cannot be read, the network lacks a pooling, or the cache has no room.
    """
    by_split = {name: each for name, each in data.collections().items() if name in names}
    distinct = {id(each): each for each in by_split.values()}
    found: dict[tuple[int, Pooling], Stored] = {}
    for name, each in by_split.items():
        if (id(each), poolings[0]) not in found:
            files = {p: _file(backbone, data, each, p) for p in poolings}
            for pooling, stored in _complete(backbone, data, name, each, files).items():
                found[id(each), pooling] = stored
    return {
        pooling: _of_splits(
            data, backbone.config, by_split,
            {key: (distinct[key], found[key, pooling]) for key in distinct},
        )
        for pooling in poolings
    }  # fmt: skip


def _file(
    backbone: Backbone, data: ProbeData, collection: Collection, pooling: Pooling
) -> FeatureFile:
    key = features_key(backbone.digest, pooling, collection.contents, collection.positions)
    return FeatureFile(key, f"{data.source.name}, {pooling} features of {backbone.name}")


def _complete(
    backbone: Backbone, data: ProbeData, split: str, collection: Collection,
    files: Mapping[Pooling, FeatureFile],
) -> dict[Pooling, Stored]:  # fmt: skip
    """The features of one collection by each pooling; those that are missing are computed."""
    with ExitStack() as locks:
        for file in sorted(files.values(), key=lambda each: each.key):
            locks.enter_context(file.lock())
        there = {pooling: file.load() for pooling, file in files.items()}
        missing = {p: file for p, file in files.items() if there[p] is None}
        if missing:
            _compute(backbone, data, split, collection, missing)
            there |= {pooling: file.load() for pooling, file in missing.items()}
        else:
            log.info("features: of %s, %s images from the cache", backbone.name,
                     f"{len(collection.positions):,}")  # fmt: skip
    assert all(each is not None for each in there.values())
    return {pooling: each for pooling, each in there.items() if each is not None}


def _compute(
    backbone: Backbone, data: ProbeData, split: str, collection: Collection,
    files: Mapping[Pooling, FeatureFile],
) -> None:  # fmt: skip
    config, classifier = backbone.config, backbone.classifier
    device = training_device(config)
    classifier.to(device)
    widths = {pooling: width_of(classifier, pooling) for pooling in files}
    whole = Split(
        pa.array(collection.positions.astype(str)), np.zeros(len(collection.positions), np.int64),
        collection.images, collection.positions,
    )  # fmt: skip
    cached, good, skipped = cache_images(
        {split: whole}, {split: data.contents[split]}, classifier.preprocess, config.data_common,
        data.source.name, uses_gpu(config.trainer), TrainingForm(on_device=True),
    )  # fmt: skip
    reasons = [(int(each.id), each.reason) for each in skipped]
    with ExitStack() as stack:
        tables = {
            pooling: stack.enter_context(
                file.growing(len(good[split]), widths[pooling], config.data_common.cache_max_gib)
            )
            for pooling, file in files.items()
        }
        start = min(table.rows for table in tables.values())
        if start:
            log.info("features: resuming, %s of %s images are done",
                     f"{start:,}", f"{len(good[split]):,}")  # fmt: skip
        images = image_batches(backbone, split, good[split], cached, device, start)
        speed = append_features(backbone, tables, images, start, device)
        for pooling, file in files.items():
            file.seal(tables[pooling], widths[pooling], reasons, speed)
    classifier.to("cpu")


def _of_splits(
    data: ProbeData, config: TrainConfig, by_split: Mapping[str, Collection],
    found: Mapping[int, tuple[Collection, Stored]],
) -> SplitFeatures:  # fmt: skip
    failures = {name: found[id(each)][1].failures for name, each in by_split.items()}
    wanted = {name: data.splits[name] for name in by_split}
    splits, skipped = skip_unreadable(wanted, failures, config.data_common)
    labelled = {}
    for name, split in splits.items():
        collection, stored = found[id(by_split[name])]
        bad = [place for place, _ in stored.failures]
        positions = np.setdiff1d(collection.positions, np.array(bad, np.int64))
        rows = np.searchsorted(positions, split.rows)
        labelled[name] = Labelled(stored.values[rows], split.targets)
    counted = sum(len(stored.values) for _, stored in found.values())
    seconds = sum(len(stored.values) / stored.images_per_s for _, stored in found.values())
    return SplitFeatures(labelled, splits, skipped, counted / seconds)
