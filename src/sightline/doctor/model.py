"""Checks of a model that was built: its weights, and the part of the images that it sees."""

import numpy as np

from sightline.config.schema import TrainConfig
from sightline.data.image_sizes import NEARLY_SQUARE, ImageSizes
from sightline.data.reading.geometry import Geometry
from sightline.data.reading.raster import range_words
from sightline.data.source_data import Split
from sightline.doctor.findings import Level, Report
from sightline.doctor.images import ImageFacts
from sightline.errors import counted
from sightline.models.classifier import Classifier
from sightline.types import MODES


def check_weights(report: Report, config: TrainConfig, classifier: Classifier) -> None:
    """Report where the weights are from and their share, and a size that the images are given."""
    loaded = classifier.loaded_weights
    if loaded is not None:
        level: Level = "warning" if loaded.missing else "ok"
        report.add("weights", level, str(loaded), [*loaded.missing, *loaded.left_over])
    elif config.model.get("pretrained"):
        report.add("weights", "ok", f"timm's of {config.model['name']}, at hand")
    else:
        report.add("weights", "ok", "random")
    if classifier.input_note is not None:
        report.add("input", "warning", classifier.input_note)


def check_view(
    report: Report,
    splits: dict[str, Split],
    facts: dict[str, list[ImageFacts]],
    classifier: Classifier,
) -> None:
    """Report the share of all images' pixels that is cut away, and which values are changed.

    A crop that the weights were trained with takes its share of square images too; what is lost
    beside that is a warning.
    """
    spec = classifier.preprocess
    of_samples = [facts[name][row] for name, split in splits.items() for row in split.rows]
    readable = [fact for fact in of_samples if fact.error is None]
    if not readable:
        return
    sizes = ImageSizes(*np.array([(fact.width, fact.height) for fact in readable]).T)
    unseen = sizes.unseen(spec)
    message = f"images are {sizes.treatment(spec)}"
    if not unseen:
        message += ": all of their pixels are seen"
    of_a_square = Geometry(spec).unseen(*spec.size)
    if unseen - of_a_square > NEARLY_SQUARE:
        message += "; data.geometry=squash or letterbox shows the model all of them"
        report.add("geometry", "warning", message)
    else:
        report.add("geometry", "ok", message)
    clipped = sum(fact.clipped for fact in readable)
    if clipped:
        report.add(
            "clipped", "warning",
            f"{clipped:,} of {counted(len(readable), 'image')}: values outside of "
            f"{range_words(spec.pixels)} are clipped (data.range)",
        )  # fmt: skip
    transparent = sum(fact.transparent for fact in readable)
    if transparent and MODES.get(spec.in_chans) != "RGBA":
        report.add(
            "transparency", "ok",
            f"{transparent:,} of {len(readable):,} images have transparent pixels, which are laid "
            f"on {spec.background} (data.background)",
        )  # fmt: skip
