"""`sightline sync`: the records of runs uploaded to MLflow, where they are not there yet."""

from pathlib import Path

from pydantic import Field

from sightline.config.command import Command
from sightline.config.options import Options, flag, positional
from sightline.errors import UserError


class SyncOptions(Options):
    """Options of `sightline sync`."""

    folder: str | None = positional("folder of a run, or one above runs; by default the project's")
    again: bool = flag("upload every record, also those uploaded or refused; none is duplicated")
    uri: str | None = Field(
        None, alias="tracking.uri", description="store, instead of the one that the run names"
    )


def run(options: SyncOptions) -> int:
    """Upload the pending records of runs; 1 where one could not be uploaded.

    Raises:
        UserError: there is no such folder.
    """
    from sightline.paths import project_root
    from sightline.tracking.sender.sync import sync_folder

    root = Path(options.folder).expanduser().absolute() if options.folder else project_root()
    if not root.is_dir():
        raise UserError(f"sightline sync {options.folder}: there is no such folder.")
    return sync_folder(root, options.uri, options.again)


COMMAND = Command(
    help="upload to MLflow what runs recorded while it was unreachable",
    section="runs",
    about="""\
Uploads the pending records of the runs under FOLDER to MLflow. A running training does so by
itself.""",
    examples={"sightline sync": "", "sightline sync runs/2024-05-01 --again": ""},
    options=SyncOptions,
    run=run,
)
