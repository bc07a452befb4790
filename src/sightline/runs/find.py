"""Runs of a folder found by id or name, or by a config that they did not finish."""

from pathlib import Path

from sightline import __version__
from sightline.config.augment_form import with_logged_form
from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.runs.changeable import MAY_CHANGE
from sightline.runs.folder import RunFolder
from sightline.runs.folders import run_folders
from sightline.runs.frozen import Frozen
from sightline.runs.known_names import SHORTEST_ID
from sightline.runs.resume import differences


def find_unfinished(root: Path, config: TrainConfig) -> RunFolder | None:
    """The newest unfinished run under `root` with this config and as many epochs."""
    may_change = tuple(key for key in MAY_CHANGE if key != "trainer.max_epochs")
    for folder in run_folders(root):
        try:
            frozen = folder.frozen
            if frozen is None or frozen.version != __version__:
                continue
            began = frozen.config
            if began.augment.form == "auto":  # an older run: its journal says which was used
                began = with_logged_form(began, folder.state.params)
            if differences(began, config, may_change):
                continue
            if folder.status != "FINISHED":
                return folder
        except UserError:  # damaged, or of another version: not the one
            continue
    return None


def find_run(wanted: str, root: Path) -> Frozen:
    """The run of a folder, of a folder's name, or of an MLflow run id or its first characters.

    Raises:
        UserError: there is none, or there are several.
    """
    path = Path(wanted).expanduser().absolute()
    if path.is_dir():
        folder = RunFolder(path)
    else:
        found = [each for each in run_folders(root) if _is_named(each, wanted)]
        if len(found) > 1:
            listed = "".join(f"\n  {each}" for each in found)
            raise UserError(f"resume={wanted}: several runs have this name; give a folder:{listed}")
        if not found:
            raise UserError(
                f"resume={wanted}: no such folder, and no run under {root} has this id or name. "
                "Give the run's folder (its tag run_folder in MLflow)."
            )
        folder = found[0]
    frozen = folder.frozen
    if frozen is None:
        raise UserError(f"resume={wanted}: {folder} holds no run of Sightline (no run.json).")
    return frozen


def _is_named(folder: RunFolder, wanted: str) -> bool:
    location = folder.upload.location
    run_id = location.run_id if location else ""
    return folder.path.name == wanted or (len(wanted) >= SHORTEST_ID and run_id.startswith(wanted))
