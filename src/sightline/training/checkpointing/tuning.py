"""The tuning that was fitted on val, written into the best checkpoint."""

import torch

from sightline.metrics.tuning import Tuning
from sightline.runs.folder import RunFolder
from sightline.training.checkpointing.files import AtomicCheckpointIO


def save_tuning(folder: RunFolder, tuning: Tuning) -> None:
    """Write the best checkpoint anew with the tuning in it, atomically."""
    checkpoint = torch.load(folder.best, map_location="cpu", weights_only=True)
    checkpoint["sightline"] = checkpoint["sightline"] | {"tuning": tuning.to_dict()}
    writer = AtomicCheckpointIO(False, folder.check_held)
    writer.save_checkpoint(checkpoint, folder.best)
