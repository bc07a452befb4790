"""The options that `sightline predict` and `sightline features` share."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from sightline.config.options import DEVICE, PLUGINS, URI, Options, Several, run_named


class TableOptions(Options):
    """Options of a command that writes a table with a row for each image."""

    run: str = run_named()
    input: Annotated[
        str,
        Field(
            description="an image, a folder, a pattern ('photos/*.jpg'), a table that names images "
            "(CSV, TSV, JSON lines, Parquet), Parquet files that hold them, or - for a list of "
            "paths on standard input",
            json_schema_extra={"metavar": "PATH"},
        ),
    ]
    output: Annotated[
        str,
        Field(
            description="file to write; its ending chooses the format",
            json_schema_extra={"metavar": "FILE"},
        ),
    ]
    overwrite: bool = Field(False, description="replace the output where it exists")
    root: str | None = Field(
        None, description="folder that a table's paths, and the column id, are relative to"
    )
    image_column: str | None = Field(
        None, description="column of a table; by default image, path, file, ..., the first found"
    )
    image_suffix: str = Field(
        "", description="ending appended to names in a table that have none, such as .jpg"
    )
    device: str = Field("auto", description=DEVICE)
    batch_size: PositiveInt | None = Field(
        None, description="images in a batch; by default as in training"
    )
    num_workers: Literal["auto"] | NonNegativeInt = Field(
        "auto", description="processes that read images; auto: one a core where there are many"
    )
    plugins: Several = Field((), description=PLUGINS)
    uri: str | None = Field(None, alias="tracking.uri", description=URI)
