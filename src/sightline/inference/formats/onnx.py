"""ONNX format, in float32 or with int8 weights."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.errors import UserError, first_line
from sightline.inference.formats.base import INPUT, OUTPUTS, Exportable, Format, Run

MISSING = "format=onnx needs further packages: pip install 'sightline[export]'"
QUANTIZED = ["Conv", "MatMul", "Gemm"]  # the operators whose weights are large


class Onnx(Format):
    """One .onnx file that contains the weights."""

    endings = (".onnx",)

    def write(self, module: Exportable, example: Tensor, path: Path, facts: dict[str, str]) -> None:
        """Export with torch.onnx; the facts become the file's metadata."""
        batch = {0: torch.export.Dim("batch")}
        with _quiet():
            try:
                import onnx
                import onnxscript  # noqa: F401  torch.onnx needs it

                program = torch.onnx.export(
                    module, (example,), dynamo=True, input_names=[INPUT],
                    output_names=list(OUTPUTS), dynamic_shapes={INPUT: batch}, verbose=False,
                )  # fmt: skip
            except ImportError as error:
                raise UserError(f"{MISSING} ({error}).") from error
            except Exception as error:  # the exporter raises exceptions of many types
                line = first_line(error)
                raise UserError(f"This model cannot be written as ONNX: {line}") from error
            assert program is not None
            program.save(str(path), external_data=False)
        onnx.save(_with_facts(onnx.load(path), facts), path)

    def open(self, path: Path) -> Run:
        """A function that runs the file with onnxruntime on the CPU."""
        try:
            import onnxruntime
        except ImportError as error:
            raise UserError(f"{MISSING} ({error}).") from error
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

        def run(images: np.ndarray) -> np.ndarray:
            return np.asarray(session.run(["probs"], {INPUT: images})[0])

        return run


def quantize(source: Path, path: Path, how: str, images: np.ndarray) -> None:
    """Write the model of an ONNX file with int8 weights.

    Args:
        source: the float32 file.
        path: of the int8 file.
        how: dynamic (ranges of activations are measured at run time) or static (they are taken
            from images).
        images: prepared, uint8, shape (N, C, S, S), for static quantisation.
    """
    import onnx
    from onnxruntime import quantization

    facts = {entry.key: entry.value for entry in onnx.load(source).metadata_props}
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quantization.quant_pre_process(source, ready, skip_symbolic_shape=True)
        if how == "dynamic":
            quantization.quantize_dynamic(
                ready, path, weight_type=quantization.QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm"],
            )  # fmt: skip
        else:
            quantization.quantize_static(
                ready, path, _Calibration(images), op_types_to_quantize=QUANTIZED,
                per_channel=True, weight_type=quantization.QuantType.QInt8,
            )  # fmt: skip
    onnx.save(_with_facts(onnx.load(path), facts), path)


class _Calibration:
    """Batches of about 16 images for onnxruntime's calibration."""

    def __init__(self, images: np.ndarray) -> None:
        self.batches = iter(np.array_split(images, max(1, len(images) // 16)))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {INPUT: batch}


def _with_facts(model: Any, facts: dict[str, str]) -> Any:
    del model.metadata_props[:]
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """A context without the warnings and progress messages of exporters and quantisers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
