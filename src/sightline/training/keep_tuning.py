"""The best checkpoint gets what was fitted on val."""

import os
from pathlib import Path

import torch

from sightline.evaluation.tuning import Tuning


def keep_tuning(path: Path, tuning: Tuning) -> None:
    """Write the checkpoint again with the tuning in it: whole, or the old one stays."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    checkpoint["sightline"] = checkpoint["sightline"] | {"tuning": tuning.to_dict()}
    partial = path.with_name(f".{path.name}.tuned.partial")
    try:
        with partial.open("wb") as stream:
            torch.save(checkpoint, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
