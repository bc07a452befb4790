"""The best checkpoint gets what was fitted on val."""

from pathlib import Path

import torch

from sightline.evaluation.tuning import Tuning
from sightline.training.checkpoints import WholeFiles


def keep_tuning(path: Path, tuning: Tuning) -> None:
    """Write the checkpoint again with the tuning in it: whole, or the old one stays."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    checkpoint["sightline"] = checkpoint["sightline"] | {"tuning": tuning.to_dict()}
    WholeFiles(last_is_sound=False).save_checkpoint(checkpoint, path)
