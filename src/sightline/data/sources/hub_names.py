"""Names of Hugging Face data sets, looked up without importing the package datasets."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

from sightline.data.sources.folder import existing_folder
from sightline.errors import UserError, first_line

ON_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
NOT_REACHED = ("ConnectError", "ConnectionError")  # of httpx, and of requests
TIMEOUT_S = 3  # of a hub that does not answer; the data set is then looked for when it is loaded


def require_datasets() -> None:
    """Refuse data=huggingface without its package.

    Raises:
        UserError: with the extra that brings it.
    """
    if find_spec("datasets") is None:
        raise UserError(
            "data=huggingface needs the package datasets: pip install 'sightline[hub]'."
        )


def check_hub_name(name: str) -> None:
    """Refuse a local folder that is not there, and a data set that the hub says it does not have.

    Raises:
        UserError: as described.
    """
    require_datasets()
    if Path(name).expanduser().exists():
        return
    if ON_HUB.fullmatch(name) is None or name.startswith("."):
        existing_folder(name, "data.name")
    problem = _problem(name)
    if problem is not None:
        raise UserError(
            f"data.name={name}: there is no such folder, and {problem}. Expected OWNER/NAME, such "
            "as uoft-cs/cifar10."
        )


def _problem(name: str) -> str | None:
    """Why the hub does not give a data set; None where it does, may, or the data set is here."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError

    if _was_fetched(name):
        return None
    try:
        HfApi().dataset_info(name, timeout=TIMEOUT_S)
    except RepositoryNotFoundError:
        return "the hub has no such data set, or it is private (HF_TOKEN gives access)"
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set, but it was not fetched before"
    except Exception as error:  # noqa: BLE001  its client's library is another one by version
        if type(error).__name__ in NOT_REACHED:
            return f"the hub cannot be reached ({first_line(error)}), and it was not fetched before"
    return None


def _was_fetched(name: str) -> bool:
    """Whether the cache of the hub, or that of the package datasets, holds something of it."""
    from huggingface_hub import constants

    prepared = Path(os.environ.get("HF_DATASETS_CACHE", Path(constants.HF_HOME) / "datasets"))
    names = {_plain(each.name) for each in prepared.iterdir()} if prepared.is_dir() else set()
    return is_in_hub_cache(name) or _plain(name.replace("/", "")) in names


def is_in_hub_cache(name: str) -> bool:
    """Whether a data set of exactly this name was fetched before, or a part of it."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}"
    return ON_HUB.fullmatch(name) is not None and folder.exists()


def _plain(name: str) -> str:
    """A name without what the package datasets changes in it: OWNER___NAME, in snake case."""
    return re.sub(r"[\W_]", "", name).lower()
