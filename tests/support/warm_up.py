"""What libraries do once a process, done in the server before it forks."""

from __future__ import annotations

import io
import tempfile
import weakref
from functools import cache
from pathlib import Path

import torch.library
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mlflow.entities import Metric, Param, RunTag
from mlflow.store.db import utils
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils import requirements_utils

from sightline.tracking.mlflow.databases import open_sqlite


def warm_up() -> None:
    """Load fonts, the packages' names and MLflow's store; torch's end."""
    figure = Figure()
    figure.subplots().set_title("fonts")
    FigureCanvasAgg(figure).print_png(io.BytesIO())
    requirements_utils._init_modules_to_packages_map()  # reads every installed package
    _warm_up_store()
    _leave_operators()


def _warm_up_store() -> None:
    """Use a store once: SQLAlchemy sets its classes up; no connection is left open.

    The version of the schema that MLflow compares a store's with is read from its 60 migrations
    each time that a process opens a store.
    """
    utils._get_latest_schema_revision = cache(utils._get_latest_schema_revision)
    with tempfile.TemporaryDirectory() as folder:
        with open_sqlite(Path(folder) / "mlflow.db") as client:
            run = client.create_run("0", tags={"kind": "warm up"})
            client.log_batch(
                run.info.run_id, [Metric("m", 1.0, 0, 0)], [Param("p", "1")], [RunTag("t", "1")]
            )
            client.search_runs(["0"])
        for engine in SqlAlchemyStore._engine_map.values():
            engine.dispose()
        SqlAlchemyStore._engine_map.clear()


def _leave_operators() -> None:
    """Have a process end without unregistering each of torch's operators."""
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        alive = finalizer.peek()
        if alive is not None and alive[1] is torch.library._del_library:
            finalizer.atexit = False
