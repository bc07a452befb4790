"""`sightline features`: the features of a trained model for images, as a table."""

from pydantic import Field

from sightline.config.command import Command
from sightline.inference.table_options import TableOptions


class FeatureOptions(TableOptions):
    """Options of `sightline features`."""

    label_column: str | None = Field(
        None, description="column of labels in a table that names images"
    )


def run(options: FeatureOptions) -> int:
    """Write the features.

    Raises:
        UserError: the run, the input or the output cannot be used; no file is left behind.
    """
    from sightline.inference.inputs import check_input

    check_input(options.input, options.root)
    from sightline.inference.features import write_features

    write_features(options, options.label_column)
    return 0


COMMAND = Command(
    help="write a model's features of images into a table",
    section="trained models",
    about="""\
Writes a row for each image into a .parquet file: path, id, features (the output of the model's
last layer before the head: a list of numbers), and error, where an image cannot be used. After an
interruption the same command resumes from FILE.partial.

Where the labels are known, by folders named like the classes or by label_column, nearest neighbours
and a logistic regression of the features are scored: printed, and written to FILE.probes.csv. They
are fitted on ids under train/ where there are others, else cross-validated.""",
    examples={"sightline features run=RUN input=photos output=features.parquet": ""},
    options=FeatureOptions,
    run=run,
)
