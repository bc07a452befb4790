"""Names of Hugging Face data sets, looked up without importing the package datasets."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

from sightline.data.sources.folder import existing_folder
from sightline.errors import UserError

ON_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
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
    if _is_missing(name):
        raise UserError(
            f"data.name={name}: there is no such folder, and the hub has no such data set, or it "
            "is private (HF_TOKEN gives access). Expected OWNER/NAME, such as uoft-cs/cifar10."
        )


def _is_missing(name: str) -> bool:
    """Whether the hub says so; offline, and of what was fetched before, it is not asked."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError

    fetched = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}"
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_DATASETS_OFFLINE") or fetched.exists():
        return False
    try:
        HfApi().dataset_info(name, timeout=TIMEOUT_S)
    except RepositoryNotFoundError:
        return True
    except Exception:  # noqa: BLE001  no network, a proxy, a hub in trouble: any type
        return False
    return False
