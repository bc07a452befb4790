"""Where things are: the project's root, the default MLflow store, the configs."""

from functools import cache
from pathlib import Path

ROOT_MARKERS = (".git", "pyproject.toml", "mlflow.db")


@cache
def project_root() -> Path:
    """The nearest folder from here upward that holds a project (or a store), else this folder."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / marker).exists() for marker in ROOT_MARKERS):
            return folder
    return here


def default_store() -> str:
    """The absolute SQLite URI that runs go to unless told otherwise."""
    return f"sqlite:///{project_root() / 'mlflow.db'}"


def conf_dir() -> Path:
    """The folder of configs: inside an installed wheel; in a checkout a link to the top level."""
    return Path(__file__).resolve().parent / "conf"
