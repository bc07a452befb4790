"""`sightline show`: one run on a page of the terminal."""

from pydantic import Field

from sightline.config.command import Command
from sightline.config.options import RUN, URI, Options, positional
from sightline.errors import UserError
from sightline.io.collection import imports_kept


class ShowOptions(Options):
    """Options of `sightline show`."""

    name: str | None = positional(RUN, names_run=True)
    uri: str | None = Field(None, alias="tracking.uri", description=URI)


def run(options: ShowOptions) -> int:
    """Print the summary of a run.

    Raises:
        UserError: there is no such run.
    """
    if options.name is None:
        raise UserError("Give a run: `sightline show latest`, an id, a folder, a name.")
    from rich import get_console

    with imports_kept():
        from sightline.comparison.run_summary import summary
        from sightline.tracking.mlflow.stored_run import find_stored_run
    get_console().print(summary(find_stored_run(options.name, options.uri)))
    return 0


COMMAND = Command(
    help="show one run: config, metrics, worst classes, curves, files",
    section="runs",
    about="""\
The values of its config that are not the defaults, its metrics with 95 % intervals, the worst
classes, the curves of its epochs, and its files.""",
    examples={"sightline show latest": "", "sightline show best:val/accuracy": ""},
    options=ShowOptions,
    run=run,
)
