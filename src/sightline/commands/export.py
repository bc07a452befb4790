"""`sightline export`: a model as a file that other programs run, checked on real images."""

import logging
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from rich import box, get_console
from rich.table import Table
from sklearn.datasets import load_sample_images

from sightline.config.compose import compose_job
from sightline.config.options import Options, Several, read_options
from sightline.data.loading.transforms import ImageTransform
from sightline.data.reading.decode import UnreadableImage, image_from_array
from sightline.data.source import Split
from sightline.errors import UserError
from sightline.evaluation.overrides import DataOverrides, overridden_config
from sightline.inference.export import FORMATS, Checks, Trial, export_model
from sightline.inference.inputs import read_inputs
from sightline.inference.load import load_checkpoint, read_checkpoint
from sightline.inference.model import LoadedModel
from sightline.inference.table_files import check_output
from sightline.io.console import log_to_console
from sightline.tracking.mlflow.stored_run import find_checkpoint_file
from sightline.training.setup import apply_label_mode, read_source

log = logging.getLogger(__name__)

CHECKED = 256  # images that a file is tried on
MEASURED = 2_000  # of which the accuracy of 8 bits is measured
MIB = 2**20

USAGE = """\
usage: sightline export run=RUN format=FORMAT output=FILE [KEY=VALUE ...]

Writes the model for other programs. It takes images resized to uint8, in any number, normalises
them itself, and answers with calibrated probabilities; labels, thresholds, temperature and how to
resize are stored in the file. The file appears only if it answers as the model does on real
images: probabilities within 1e-4, and the same decisions.

  run=          an MLflow run id, runs:/ID, a run's folder, or a checkpoint file
  format=       onnx (.onnx) or torch_export (.pt2)
  output=       FILE
  overwrite=    true: replace the output where it exists
  input=        the images to check it on, as for `sightline predict`; else the run's own test or
                val images, or, where those are gone, scikit-learn's sample photographs
  int8=         dynamic or static: ONNX with weights of 8 bits, and the accuracy that it costs
  plugins=      [PACKAGE], where the model is built by a package of your own
  tracking.uri= of the tracking store; else MLFLOW_TRACKING_URI, or the project's own
"""


class ExportOptions(Options):
    """Of `sightline export`."""

    run: str
    format: Literal["onnx", "torch_export"]
    output: str
    overwrite: bool = False
    input: str | None = None
    int8: Literal["dynamic", "static"] | None = None
    plugins: Several = ()
    uri: Annotated[str | None, Field(alias="tracking.uri")] = None


def export(words: list[str]) -> int:
    """Export what the words of the command name.

    Raises:
        UserError: the run or the output cannot be used, or the file does not answer as the model.
    """
    options, _ = read_options(words, ExportOptions, USAGE)
    if options.int8 and options.format != "onnx":
        raise UserError(f"int8={options.int8}: only format=onnx has weights of 8 bits.")
    output = Path(options.output)
    check_output(output, FORMATS[options.format].endings, options.overwrite)
    with log_to_console():
        checkpoint, _ = find_checkpoint_file(options.run, options.uri)
        model = load_checkpoint(checkpoint, options.plugins)
        checks, ranges = _checks(model, checkpoint, options)
        trials = export_model(model, options.format, output, checks, options.int8, ranges)
        _show(trials, checks)
        log.info("written: %s", output)
    return 0


def _checks(
    model: LoadedModel, checkpoint: Path, options: ExportOptions
) -> tuple[Checks, np.ndarray]:
    """What to try the file on, and images for the ranges of 8 bits."""
    if options.input is not None and not options.int8:
        inputs = read_inputs(options.input)
        images, _ = _prepared(model, inputs.images.read, _spaced(len(inputs), CHECKED))
        if not len(images):
            raise UserError(f"input={options.input}: none of these images can be read.")
        return Checks(images, None), images
    own = _own_splits(checkpoint, options.plugins)
    if own is None:
        if options.int8:
            raise UserError(
                "int8: the run's own images, of which the accuracy is measured, are not there."
            )
        log.warning("The run's own images are not there; checked on sample photographs.")
        photographs = _photographs(model)
        return Checks(photographs, None), photographs
    split = "test" if "test" in own else "val"
    wanted = _spaced(len(own[split]), MEASURED if options.int8 else CHECKED)
    images, read = _prepared(model, own[split].read, wanted)
    log.info("checked on %d images of %s; decisions are by the run's thresholds", len(read), split)
    ranges, _ = _prepared(model, own["val"].read, _spaced(len(own["val"]), CHECKED))
    return Checks(images, own[split].targets[read]), ranges


def _own_splits(checkpoint: Path, plugins: tuple[str, ...]) -> dict[str, Split] | None:
    """The run's data as its config names it, with encoded targets; None where it is gone."""
    stored = read_checkpoint(checkpoint)["sightline"].config
    now, _ = compose_job([])  # for where runs are tracked, which a checkpoint does not say
    config = overridden_config(stored, now, plugins, DataOverrides([], False, []))
    try:
        return apply_label_mode(config, read_source(config))[1]
    except (UserError, OSError) as error:
        log.info("own images: %s", error)
        return None


def _prepared(model: LoadedModel, read: Any, positions: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Images as the model takes them, and the positions of those that could be read."""
    transform = ImageTransform(model.preprocess)
    images, done = [], []
    for position in positions.tolist():
        try:
            images.append(transform(read(position, transform.side)))
        except UnreadableImage:
            continue
        done.append(position)
    return torch.stack(images).numpy() if images else np.empty(0, np.uint8), done


def _photographs(model: LoadedModel) -> np.ndarray:
    """Parts of scikit-learn's two photographs, of several sizes."""
    parts = [
        image_from_array(image[top : top + side, left : left + side])
        for image in load_sample_images().images
        for side in (64, 200, 400)
        for top in range(0, image.shape[0] - side + 1, 100)
        for left in range(0, image.shape[1] - side + 1, 120)
    ]
    return model.prepare(parts).numpy()


def _spaced(count: int, wanted: int) -> np.ndarray:
    """At most `wanted` of `count` positions, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(int))


def _show(trials: list[Trial], checks: Checks) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for title in ("MiB", "images/s (CPU)", "difference", "other decisions", "accuracy"):
        table.add_column(title, justify="right")
    for trial in trials:
        accuracy = "" if trial.accuracy is None else f"{trial.accuracy:.4f}"
        cells = [
            f"{trial.size_bytes / MIB:.2f}", f"{trial.images_per_second:,.0f}",
            f"{trial.difference:.1e}", f"{trial.changed} of {len(checks.images)}", accuracy,
        ]  # fmt: skip
        table.add_row(trial.name, *cells)
    get_console().print(table)
