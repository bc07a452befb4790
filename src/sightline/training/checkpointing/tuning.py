"""The best checkpoint gets what was fitted on val."""

from pathlib import Path

import torch

from sightline.metrics.tuning import Tuning
from sightline.training.checkpointing.files import AtomicCheckpointIO


def save_tuning(path: Path, tuning: Tuning) -> None:
    """Write the checkpoint again with the tuning in it: whole, or the old one stays."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    checkpoint["sightline"] = checkpoint["sightline"] | {"tuning": tuning.to_dict()}
    AtomicCheckpointIO(last_is_sound=False).save_checkpoint(checkpoint, path)
