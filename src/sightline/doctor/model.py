"""Checks of a model that was built: the weights it has, and the part of the images that it sees."""

from sightline.config.schema import TrainConfig
from sightline.doctor.findings import Level, Report
from sightline.models.classifier import Classifier


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
