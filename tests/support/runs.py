"""Finished runs that many tests only read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trained:
    """A finished run over images in files, for tests that only use it.

    Attributes:
        folder: the run's own.
        root: of the images; ids of its tables are relative to it.
        store: the MLflow store that it is in.
        run_id: its id there.
    """

    folder: Path
    root: Path
    store: str
    run_id: str

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "best.ckpt"


MODES = ("binary", "multiclass", "multilabel")
