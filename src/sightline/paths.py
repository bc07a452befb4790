"""Places on disk: the project's root, the default MLflow store, the caches, the configs."""

import hashlib
import os
import re
import secrets
from datetime import datetime
from functools import cache
from pathlib import Path

from sightline.errors import UserError

MAX_NAME = 60  # characters of a sweep's folder
SEVERAL = re.compile(r"\b(choice|range|interval|glob)\(")  # values of a key, in Hydra's grammar
ONE_VALUE = re.compile(r"""\[[^\]]*\]|\{[^}]*\}|'[^']*'|"[^"]*\"""")  # that may hold commas
STORE = "mlflow.db"  # in the project's root
ROOT_MARKERS = (".git", "pyproject.toml", STORE)


@cache
def project_root() -> Path:
    """The nearest folder from here upward that holds a project (or a store), else this folder.

    Raises:
        UserError: its name is not UTF-8, as the paths in configs and stores are.
    """
    root = root_above(Path.cwd())
    try:
        str(root).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(root).decode("utf-8", "backslashreplace")
        raise UserError(f"The project's folder {shown} has a name that is not UTF-8.") from error
    return root


def root_above(place: Path) -> Path:
    """The nearest folder from a place upward that holds a project (or a store), else the place."""
    for folder in (place, *place.parents):
        if any((folder / marker).exists() for marker in ROOT_MARKERS):
            return folder
    return place


def stamp() -> str:
    """A name for a new folder that no other process takes: the moment, and a few random digits."""
    return f"{datetime.now():%Y-%m-%d/%H-%M-%S}-{secrets.token_hex(3)}"


def sweep_name(arguments: list[str]) -> str:
    """A sweep's folder: the same for the same command, whatever its launcher and its store.

    It says what differs and on which data: `hidden-x-seed-photos-6229882b`. A folder that an
    earlier version named otherwise is found again.
    """
    words = [
        word
        for word in arguments
        if word.startswith(("hydra/sweeper=", "hydra.sweeper.params"))
        or ("=" in word and not word.startswith(("hydra", "sweep.", "tracking.", "-")))
    ]
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=4).hexdigest()
    former = re.sub(r"[^\w=,.+-]+", "_", " ".join(words))[:80].strip("_.")
    if (project_root() / "sweeps" / f"{former or 'sweep'}-{digest}").is_dir():
        return f"{former or 'sweep'}-{digest}"
    readable = re.sub(r"[^\w.+-]+", "-", _title_of(words))[:MAX_NAME].strip("-.")
    return f"{readable or 'sweep'}-{digest}"


def sweep_title(folder: str) -> str:
    """The name of a sweep's folder as people read it: without its digest."""
    return re.sub(r"-[0-9a-f]{8}$", "", folder).replace("-x-", " × ")


def _title_of(words: list[str]) -> str:
    """The keys with several values, the recipe and the data, without paths to them."""
    given = {key.lstrip("+~"): value for key, _, value in (word.partition("=") for word in words)}
    several = [
        key.rsplit(".", 1)[-1]
        for key, value in given.items()
        if SEVERAL.search(value) or "," in ONE_VALUE.sub("", value)
    ]
    keys = ("experiment", "data.name", "data.path", "data.root", "data")
    about = [Path(given[key]).stem for key in keys if given.get(key) and "," not in given[key]][:1]
    about = [name for name in about if name not in several]
    return "-".join(["-x-".join(several), *about]).strip("-")


def default_store() -> str:
    """The absolute SQLite URI that runs are logged to by default."""
    return f"sqlite:///{project_root() / STORE}"


def cache_dir() -> Path:
    """The folder of cached images and digests: SIGHTLINE_CACHE, else in the user's cache."""
    own = os.environ.get("SIGHTLINE_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sightline"


def image_cache_dir() -> Path:
    """The folder of cached images and mapped tables."""
    return cache_dir() / "pictures"  # the name on disk since 0.1


def conf_dir() -> Path:
    """The folder of configs: inside an installed wheel; in a checkout a link to the top level."""
    return Path(__file__).resolve().parent / "conf"


def config_folders(arguments: list[str]) -> list[Path]:
    """Sightline's configs, and the user's own where `--config-dir` names a folder."""
    folders = [conf_dir()]
    for index, word in enumerate(arguments):
        if word in ("--config-dir", "-cd") and index + 1 < len(arguments):
            folders.append(Path(arguments[index + 1]).absolute())
        elif word.startswith("--config-dir="):
            folders.append(Path(word.partition("=")[2]).absolute())
    return [folder for folder in folders if folder.is_dir()]
