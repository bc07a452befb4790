"""Export of a model to a file that other programs run, checked on real images."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.errors import UserError
from sightline.inference.formats.base import Exportable, Format, Run, facts_of
from sightline.inference.formats.onnx import Onnx, quantize
from sightline.inference.formats.torch_export import TorchExport
from sightline.inference.model import LoadedModel
from sightline.io.atomic import atomic_path
from sightline.io.folders import make_folder, remove_empty
from sightline.metrics.tuned_table import decide_calibrated

FORMATS: dict[str, type[Format]] = {"onnx": Onnx, "torch_export": TorchExport}
TOLERANCE = 1e-4
BATCH = 32
TIMED_S = 0.5


@dataclass(frozen=True)
class FormatCheck:
    """A file compared with the model that it was made of.

    Attributes:
        name: of the row: `checkpoint` for the model itself, or the format.
        size_bytes: of the file; for the model itself, of its weights.
        images_per_second: on the CPU, in batches of 32.
        difference: largest absolute difference from the model's probabilities.
        changed: number of images with another decision than the model's.
        accuracy: share of right decisions, in [0, 1] (multi-label: over all known labels); None
            without labels.
    """

    name: str
    size_bytes: int
    images_per_second: float
    difference: float
    changed: int
    accuracy: float | None


@dataclass(frozen=True)
class Checks:
    """Real images that files are checked on.

    Attributes:
        images: prepared, uint8, shape (N, C, S, S).
        targets: encoded, shape (N,) or (N, L); None where they are not known.
    """

    images: np.ndarray
    targets: np.ndarray | None


def export_model(
    model: LoadedModel, kind: str, path: Path, checks: Checks, int8: str | None, ranges: np.ndarray
) -> list[FormatCheck]:
    """Write the file once it passes its check.

    Args:
        model: on the CPU; it is written in float32, whatever precision it was trained in.
        kind: a key of FORMATS.
        path: the file.
        checks: images that the file is checked on.
        int8: dynamic or static, to quantise the weights to 8 bits (ONNX only); or None.
        ranges: prepared images from which static quantisation takes the activations' ranges.

    Returns:
        A check of the model itself, of the float32 file, and of the int8 file where requested.

    Raises:
        UserError: the float32 file's probabilities differ by more than 1e-4 from the model's, or
            a decision differs; or the file cannot be written. An int8 file may differ.
    """
    model = replace(model, precision="32-true", classifier=model.classifier.float().eval())
    form = FORMATS[kind]()
    weights = sum(w.nbytes for w in model.classifier.state_dict().values())
    rows = [_check("checkpoint", _run_of(model), weights, model, checks)]
    example = torch.from_numpy(checks.images[:1]).repeat(2, 1, 1, 1)
    float32 = path.with_name(f".{path.name}.{os.getpid()}.float32")
    made: list[Path] = []
    try:
        made = make_folder(path.parent)
        with atomic_path(path) as partial:
            source = float32 if int8 else partial
            form.write(Exportable(model).eval(), example, source, facts_of(model))
            rows.append(_check(kind, form.open(source), source.stat().st_size, model, checks))
            _require_equal(rows[-1], path, len(checks.images))
            if int8:
                quantize(source, partial, int8, ranges)
                size = partial.stat().st_size
                rows.append(_check(f"{kind} int8 {int8}", form.open(partial), size, model, checks))
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        float32.unlink(missing_ok=True)
        remove_empty(made)  # where nothing was written
    return rows


def _require_equal(check: FormatCheck, path: Path, count: int) -> None:
    if not check.difference <= TOLERANCE or check.changed:
        raise UserError(
            f"{path} was not written: on {count} images the file's probabilities differ from "
            f"the model's by up to {check.difference:.2g} (expected at most {TOLERANCE:g}), and "
            f"{check.changed} decisions differ."
        )


def _run_of(model: LoadedModel) -> Run:
    module = Exportable(model).eval()

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            probs: Tensor = module(torch.from_numpy(images))[0]
        return probs.numpy()

    return run


def _check(name: str, run: Run, size_bytes: int, model: LoadedModel, checks: Checks) -> FormatCheck:
    expected = _in_batches(_run_of(model), checks.images)
    probs = _in_batches(run, checks.images)
    decided, wanted = _decide(model, probs), _decide(model, expected)
    changed = (decided != wanted).reshape(len(decided), -1).any(axis=1)
    accuracy = None
    if checks.targets is not None:
        known = checks.targets >= 0
        accuracy = float((decided == checks.targets)[known].mean())
    return FormatCheck(
        name,
        size_bytes,
        _speed(run, checks.images),
        float(np.abs(probs - expected).max()),
        int(changed.sum()),
        accuracy,
    )


def _in_batches(run: Run, images: np.ndarray) -> np.ndarray:
    """Probabilities, the last image in a batch of its own: the batch size must be free."""
    batches = [run(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    return np.concatenate([np.concatenate(batches)[:-1], run(images[-1:])])


def _decide(model: LoadedModel, probs: np.ndarray) -> Any:
    return decide_calibrated(model.label_mode, model.tuning, torch.from_numpy(probs)).numpy()


def _speed(run: Callable[[np.ndarray], Any], images: np.ndarray) -> float:
    batch = np.resize(images, (BATCH, *images.shape[1:]))
    run(batch)
    began, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < TIMED_S or not count:
        run(batch)
        count += BATCH
    return count / seconds
