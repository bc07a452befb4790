"""The tuning that was fitted on val, written into the best checkpoint."""

from pathlib import Path

import torch

from sightline.metrics.tuning import Tuning
from sightline.training.checkpointing.files import AtomicCheckpointIO


def save_tuning(path: Path, tuning: Tuning) -> None:
    """Write the checkpoint anew with the tuning in it, atomically."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    checkpoint["sightline"] = checkpoint["sightline"] | {"tuning": tuning.to_dict()}
    AtomicCheckpointIO(last_is_sound=False).save_checkpoint(checkpoint, path)
