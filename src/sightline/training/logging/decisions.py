"""Decisions of a run on what its config leaves open, as its parameters."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.config.decided import (
    AIM,
    CLASS_WEIGHTS,
    FRAME,
    FRAME_OF_AUTO,
    GEOMETRY,
    INPUT,
    RANGE,
    WEIGHTS,
)
from sightline.config.influence import (
    AUGMENTS,
    BATCHES,
    FORM,
    IMAGES,
    REVISION,
    REVISION_KEY,
    WORLD_SIZE,
)
from sightline.config.schema import TrainConfig
from sightline.data.geometries.frames import frame_side
from sightline.data.reading.raster import exact_range
from sightline.training.losses.class_weights import used_weights

if TYPE_CHECKING:
    from sightline.training.setup import Setup


def decisions(config: TrainConfig, setup: "Setup", world_size: int) -> dict[str, object]:
    """What the config leaves open, as it was decided in this run: parameters.

    Args:
        config: of the run.
        setup: its parts.
        world_size: processes that train together.
    """
    spec = setup.module.classifier.preprocess
    pixels = spec.pixels
    augments = any(getattr(config.augment, key) for key in AUGMENTS)
    augment = setup.datamodule.augment
    frame = augment.frame
    weights = config.model.get("pretrained_path")
    found: dict[str, object] = {
        "model.parameters": setup.parameters,
        INPUT: "x".join(map(str, spec.input)),
        GEOMETRY: spec.crop_mode,
        "data.cache.used": setup.datamodule.cached_images.mode,
        "data.skipped": len(setup.skipped),
        **setup.speed.facts(),
        **setup.module.own_method.facts(),
        **setup.decided,
        WORLD_SIZE: world_size,
        REVISION_KEY: REVISION,
    }
    found |= {} if pixels.low is None else {RANGE: exact_range(pixels)}
    found |= {"data.channels.used": ", ".join(pixels.names)} if pixels.names else {}
    found |= {f"label_mode.{k}": value for k, value in setup.label_mode.settings().items()}
    if augments:
        found[FORM] = BATCHES if augment.batched else IMAGES
    if frame is not None:
        assert augment.geometry is not None
        needed = augment.geometry.frame_size(spec.size)
        of_auto = frame_side(None, needed, setup.sizes.longer())
        found |= {FRAME: frame.side, FRAME_OF_AUTO: of_auto}
    if not setup.label_mode.threshold_names:
        found[AIM] = "none"
    targets = None if setup.source.stream else setup.splits["train"].targets
    weights_used = used_weights(setup.label_mode, targets, config.loss.get("class_weights"))
    found |= {} if weights_used is None else {CLASS_WEIGHTS: weights_used}
    loaded = setup.module.classifier.loaded_weights
    if loaded is not None:
        found |= {"model.weights.share": loaded.share, "model.weights.place": loaded.place or "."}
    if weights:
        file = Path(weights) if loaded is None else loaded.path  # which was named by its run, maybe
        with file.open("rb") as stream:
            found[WEIGHTS] = hashlib.file_digest(stream, "sha256").hexdigest()[:32]
    return found
