"""Sightline: an experiment-tracking research framework for image classification.

From Python:

    train([...overrides], data=..., model=..., callbacks=...) -> Run
    sweep([...overrides], n_jobs=...) -> SweepRuns, with runs, board and best
    Run(run), search_runs(where=...), compare(runs, metric=...) -> ComparedRuns
    load(run) -> LoadedModel, which predicts images

`run` is an id or its first characters, a folder, a name, `latest`, `best:val/accuracy` or
`models:/NAME@ALIAS`. `help(sightline.train)` and so on describe each; errors that you can fix are
`UserError`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.api.comparison import ComparedRuns, compare
    from sightline.api.listing import search_runs
    from sightline.api.run import Run
    from sightline.api.sweeping import SweepRuns, sweep
    from sightline.api.training import train
    from sightline.data.source_data import SourceData, Split
    from sightline.errors import UserError
    from sightline.inference.load import load
    from sightline.inference.model import LoadedModel

__version__ = "0.1.0"
__all__ = [
    "ComparedRuns", "LoadedModel", "Run", "SourceData", "Split", "SweepRuns", "UserError",
    "__version__", "compare", "load", "search_runs", "sweep", "train",
]  # fmt: skip

# Imported on first use, so that the command line starts at once.
_PLACES = {
    "ComparedRuns": "api.comparison",
    "compare": "api.comparison",
    "search_runs": "api.listing",
    "Run": "api.run",
    "SweepRuns": "api.sweeping",
    "sweep": "api.sweeping",
    "train": "api.training",
    "SourceData": "data.source_data",
    "Split": "data.source_data",
    "UserError": "errors",
    "load": "inference.load",
    "LoadedModel": "inference.model",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'sightline' has no attribute {name!r}")
    return getattr(import_module(f"sightline.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
