"""Writing a model for other programs: checked on real images before the file appears."""

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

FORMATS: dict[str, type[Format]] = {"onnx": Onnx, "torch_export": TorchExport}
TOLERANCE = 1e-4
BATCH = 32
TIMED_S = 0.5


@dataclass(frozen=True)
class FormatCheck:
    """A file compared with the model that it was made of.

    Attributes:
        name: of the row.
        size_bytes: of the file; for the model itself, of its weights.
        images_per_second: on the CPU, in batches of 32.
        difference: from the model's probabilities, the largest.
        changed: images on which it decides otherwise.
        accuracy: share of decisions (of several labels: label by label) that are right; None
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
    """Real images to try files on.

    Attributes:
        images: prepared, uint8 (N, C, S, S).
        targets: encoded, (N,) or (N, L), or None where they are not known.
    """

    images: np.ndarray
    targets: np.ndarray | None


def export_model(
    model: LoadedModel, kind: str, path: Path, checks: Checks, int8: str | None, ranges: np.ndarray
) -> list[FormatCheck]:
    """Write the file, and tell how it did.

    Args:
        model: on the CPU; it is written in 32 bits, whatever it was trained in.
        kind: a key of FORMATS.
        path: the file, which appears only if it passes.
        checks: what it is tried on.
        int8: dynamic or static, to write weights of 8 bits (ONNX alone); or None.
        ranges: prepared images that the static way takes the activations' ranges from.

    Raises:
        UserError: the file's probabilities differ by more than 1e-4, or a decision does; of 8
            bits neither is asked, only that it is whole.
    """
    model = replace(model, precision="32-true", classifier=model.classifier.float().eval())
    form = FORMATS[kind]()
    growing = path.with_name(f".{path.name}.growing")
    whole = path.with_name(f".{path.name}.whole") if int8 else growing
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        weights = sum(w.nbytes for w in model.classifier.state_dict().values())
        trials = [_try("checkpoint", _run_of(model), weights, model, checks)]
        module = Exportable(model).eval()
        example = torch.from_numpy(checks.images[:1]).repeat(2, 1, 1, 1)
        form.write(module, example, whole, facts_of(model))
        trials.append(_try(kind, form.open(whole), whole.stat().st_size, model, checks))
        _refuse(trials[-1], path, len(checks.images))
        if int8:
            quantize(whole, growing, int8, ranges)
            size = growing.stat().st_size
            trials.append(_try(f"{kind} int8 {int8}", form.open(growing), size, model, checks))
        growing.replace(path)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        growing.unlink(missing_ok=True)
        whole.unlink(missing_ok=True)
    return trials


def _refuse(trial: FormatCheck, path: Path, count: int) -> None:
    if not trial.difference <= TOLERANCE or trial.changed:
        raise UserError(
            f"{path} was not written: on {count} images the file's probabilities differ from "
            f"the model's by up to {trial.difference:.2g} (expected at most {TOLERANCE:g}), and "
            f"{trial.changed} decisions differ."
        )


def _run_of(model: LoadedModel) -> Run:
    module = Exportable(model).eval()

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            probs: Tensor = module(torch.from_numpy(images))[0]
        return probs.numpy()

    return run


def _try(name: str, run: Run, size_bytes: int, model: LoadedModel, checks: Checks) -> FormatCheck:
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
    """The last image in a batch of its own: their number must be free."""
    batches = [run(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    return np.concatenate([np.concatenate(batches)[:-1], run(images[-1:])])


def _decide(model: LoadedModel, probs: np.ndarray) -> Any:
    return model.label_mode.decide(torch.from_numpy(probs), model.tuning.thresholds).numpy()


def _speed(run: Callable[[np.ndarray], Any], images: np.ndarray) -> float:
    batch = np.resize(images, (BATCH, *images.shape[1:]))
    run(batch)
    began, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < TIMED_S or not count:
        run(batch)
        count += BATCH
    return count / seconds
