"""Places on disk: the project's root, the default MLflow store, the caches, the configs."""

import hashlib
import os
import re
import secrets
from datetime import datetime
from functools import cache
from pathlib import Path

MAX_NAME = 80  # characters of a sweep's folder
STORE = "mlflow.db"  # in the project's root
ROOT_MARKERS = (".git", "pyproject.toml", STORE)


@cache
def project_root() -> Path:
    """The nearest folder from here upward that holds a project (or a store), else this folder."""
    return root_above(Path.cwd())


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
    """A sweep's folder: the same for the same command, whatever its launcher and its store."""
    words = [
        word
        for word in arguments
        if word.startswith(("hydra/sweeper=", "hydra.sweeper.params"))
        or ("=" in word and not word.startswith(("hydra", "sweep.", "tracking.", "-")))
    ]
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=4).hexdigest()
    readable = re.sub(r"[^\w=,.+-]+", "_", " ".join(words))[:MAX_NAME].strip("_.")
    return f"{readable or 'sweep'}-{digest}"


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
