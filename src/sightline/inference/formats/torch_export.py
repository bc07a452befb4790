"""torch.export format, which PyTorch runs without Sightline."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sightline.errors import UserError, first_line
from sightline.inference.formats.base import INPUT, Exportable, Format, Run


class TorchExport(Format):
    """One .pt2 file with graph and weights; the facts are extra files inside."""

    endings = (".pt2",)

    def write(self, module: Exportable, example: Tensor, path: Path, facts: dict[str, str]) -> None:
        """Export with torch.export."""
        batch = {0: torch.export.Dim("batch")}
        try:
            program = torch.export.export(module, (example,), dynamic_shapes={INPUT: batch})
        except Exception as error:  # the exporter raises exceptions of many types
            line = first_line(error)
            raise UserError(f"This model cannot be written by torch.export: {line}") from error
        extra = {f"{key}.json": value for key, value in facts.items()}
        with path.open("wb") as stream:
            torch.export.save(program, stream, extra_files=extra)

    def open(self, path: Path) -> Run:
        """A function that runs the file with PyTorch on the CPU."""
        with path.open("rb") as stream:
            module = torch.export.load(stream).module()

        def run(images: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                probs: Tensor = module(torch.from_numpy(images))[0]
            return probs.numpy()

        return run
