"""`sightline export`: a model as a file that other programs run, checked on real images."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sightline.config.command import Command
from sightline.config.options import PLUGINS, URI, Options, Several, run_named
from sightline.errors import UserError


class ExportOptions(Options):
    """Options of `sightline export`."""

    run: str = run_named()
    format: Annotated[
        Literal["onnx", "torch_export"], Field(description="onnx (.onnx) or torch_export (.pt2)")
    ]
    output: Annotated[
        str, Field(description="file to write", json_schema_extra={"metavar": "FILE"})
    ]
    overwrite: bool = Field(False, description="replace the output where it exists")
    input: str | None = Field(
        None,
        description="images to check the file on, as for `sightline predict`; by default the run's "
        "own test or val images, or, where those are gone, scikit-learn's sample photographs",
    )
    int8: Literal["dynamic", "static"] | None = Field(
        None, description="ONNX with int8 weights, and the accuracy that they cost"
    )
    plugins: Several = Field((), description=PLUGINS)
    uri: str | None = Field(None, alias="tracking.uri", description=URI)


def run(options: ExportOptions) -> int:
    """Export a model.

    Raises:
        UserError: the run or the output cannot be used, or the file answers unlike the model.
    """
    if options.int8 and options.format != "onnx":
        raise UserError(f"int8={options.int8}: only format=onnx has int8 weights.")
    from sightline.evaluation.run_export import export_run

    export_run(
        options.run, options.uri, options.format, Path(options.output), options.overwrite,
        options.input, options.int8, options.plugins,
    )  # fmt: skip
    return 0


COMMAND = Command(
    help="write a model as an ONNX or torch.export file",
    section="trained models",
    about="""\
Writes the model for other programs. It takes images resized to uint8, in any number, normalises
them itself, and returns calibrated probabilities; labels, decision rule, thresholds, calibration
and resizing are stored in the file. The file appears only if it answers as the model does on real
images: probabilities within 1e-4, and the same decisions.""",
    examples={"sightline export run=RUN format=onnx output=model.onnx": ""},
    options=ExportOptions,
    run=run,
)
