"""Run: a logged run as Python sees it, with its metrics, predictions, figures and model."""

import html
import webbrowser
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sightline.api.figures import Figures
from sightline.api.options import options_of
from sightline.errors import UserError
from sightline.evaluation.ood import evaluate_unknown
from sightline.evaluation.options import EvaluateOptions, check_unknown
from sightline.evaluation.overrides import read_data_overrides
from sightline.evaluation.run import evaluate
from sightline.inference.load import load
from sightline.inference.model import AnyImage, LoadedModel
from sightline.io.declared_size import read_parquet
from sightline.runs.folder import RESULTS
from sightline.runs.results import read_results
from sightline.tracking.mlflow.links import run_link
from sightline.tracking.mlflow.stored_run import StoredRun, find_stored_run

if TYPE_CHECKING:
    from torch import nn

SHOWN = ("report/learning_curves_loss", "confusion_matrix/test", "report/per_class")


class Run:
    """A logged run. What it offers is read when it is asked for.

    Args:
        run: a run's id or its first characters, `runs:/ID`, its folder or name, `latest`,
            `best:val/accuracy`, or `models:/NAME@ALIAS`.
        uri: of the tracking store; None: MLFLOW_TRACKING_URI, or the project's own.
        model: the network, for a run of `sightline.train(model=...)`.

    Raises:
        UserError: there is no such run, or there are several.
    """

    def __init__(
        self, run: str | Path, uri: str | None = None, model: "nn.Module | None" = None
    ) -> None:
        self._stored: StoredRun = find_stored_run(str(run), uri)
        self._network = model

    @property
    def id(self) -> str | None:
        """MLflow's id; None for a run that was not uploaded yet."""
        return self._stored.run_id

    @property
    def name(self) -> str:
        """Its name in MLflow."""
        return self._stored.name

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, FAILED or KILLED."""
        return self._stored.status

    @property
    def folder(self) -> Path | None:
        """Its folder; None where that is not on this machine."""
        return self._stored.folder.path if self._stored.folder else None

    @property
    def params(self) -> Mapping[str, str]:
        """The values of its config, as logged."""
        return self._stored.params

    @property
    def logged(self) -> Mapping[str, float]:
        """Every logged metric by its key, such as `val/loss`: its last value."""
        return self._stored.metrics

    @property
    def config(self) -> dict[str, Any] | None:
        """Its whole config as it was launched; None where its folder is not on this machine."""
        frozen = self._stored.folder.frozen if self._stored.folder else None
        return None if frozen is None else frozen.config.model_dump()

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The main metrics of the best checkpoint, each with its 95 % interval.

        Columns: split, metric, value, low, high; low and high are NaN where the interval is
        withheld, and `withheld` says why.

        Raises:
            UserError: the run did not finish.
        """
        self._stored.check_finished()
        results = read_results(self._stored.file(RESULTS), None)
        rows = []
        for split, values in results["metrics"].items():
            ends, why = (results.get(k, {}).get(split, {}) for k in ("intervals", "withheld"))
            for metric, value in values.items():
                low, high = ends.get(metric) or (float("nan"), float("nan"))
                rows.append((split, metric, value, low, high, why.get(metric, "")))
        return pd.DataFrame(rows, columns=["split", "metric", "value", "low", "high", "withheld"])

    def predictions(self, split: str = "test") -> pd.DataFrame:
        """The stored predictions: id, target, prob_CLASS for each class, before calibration.

        Raises:
            UserError: the run has none of this split.
        """
        path = self._stored.file(f"predictions/{split}.parquet")
        return read_parquet(path).to_pandas()

    @property
    def figures(self) -> Figures:
        """Its figures by name, such as `confusion_matrix/test`; a notebook shows them inline."""
        return Figures(self.folder)

    @cached_property
    def model(self) -> LoadedModel:
        """Its model, from the best checkpoint.

        Raises:
            UserError: see `sightline.load`.
        """
        return load(str(self.folder or self.id), self._stored.uri, model=self._network)

    def predict(
        self, images: AnyImage | Sequence[AnyImage], calibrated: bool = True, top_k: int = 0
    ) -> pd.DataFrame:
        """Predictions of its model; see `LoadedModel.predict`."""
        return self.model.predict(images, calibrated, top_k)

    def evaluate(self, overrides: Sequence[str] = (), **options: Any) -> pd.DataFrame:
        """Evaluate its model as `sightline evaluate` does; the results are logged into the run.

        Args:
            overrides: of `data`, such as `["data=folder", "data.root=photos"]` for other data.
            options: of the command: split, name, slices, tta, robustness, report, ...

        Returns:
            The metrics of all samples, and with `part` those that the run never saw: columns part,
            metric, value, low, high. With `ood`: set, score, threshold, and each measure with the
            ends of its interval.

        Raises:
            UserError: the data or an option cannot be used; nothing is logged then.
        """
        run = str(self.folder or self.id)
        given = options_of(EvaluateOptions, {"run": run, "uri": self._stored.uri, **options})
        changes = read_data_overrides(list(overrides), EvaluateOptions.keys(), run)
        if check_unknown(given, changes.data):
            return pd.DataFrame(evaluate_unknown(given, changes))
        command = f"sightline.Run({run!r}).evaluate({list(overrides)!r}, **{options!r})"
        found = evaluate(given.run, given.uri, given.settings, changes, command, self._network)
        rows = []
        for part, evaluation in found.parts:
            ends = evaluation.interval_ends()
            for metric in evaluation.headlines:
                low, high = ends.get(metric) or (float("nan"), float("nan"))
                rows.append((part.name, metric, evaluation.metrics[metric], low, high))
        return pd.DataFrame(rows, columns=["part", "metric", "value", "low", "high"])

    @property
    def link(self) -> str:
        """Its address in MLflow's UI.

        Raises:
            UserError: it is not in MLflow yet.
        """
        stored = self._stored
        if stored.run_id is None or stored.uri is None:
            raise UserError(f"The run in {self.folder} is not in MLflow yet: `sightline sync`.")
        return run_link(stored.uri, str(stored.experiment_id), stored.run_id)

    def open(self) -> None:
        """Open its report in a browser; where it has none here, its page in MLflow."""
        report = self.folder / "report.html" if self.folder else None
        webbrowser.open(report.as_uri() if report and report.is_file() else self.link)

    def __repr__(self) -> str:
        return f"<Run {self.name}, {self.id or 'not in MLflow yet'}, {self.status}>"

    def _repr_html_(self) -> str:
        table = self.metrics.round(4).to_html(index=False) if self.status == "FINISHED" else ""
        return f"<p>{html.escape(repr(self))}</p>{table}{self.figures.inline(SHOWN)}"
