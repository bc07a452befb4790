"""The last lines of an evaluation: a table of metrics, slices, and where to find them."""

import logging

from rich import get_console

from sightline.errors import counted
from sightline.evaluation.result import EvaluationResult
from sightline.metrics.slices import Slices
from sightline.reports.formatted_metrics import format_metrics, metrics_table
from sightline.tracking.mlflow.links import run_link
from sightline.tracking.sender.client import RunLocation, SenderClient
from sightline.tracking.sender.pending import warn_of_pending
from sightline.tracking.tracker import Tracker

log = logging.getLogger(__name__)


def announce(found: EvaluationResult, client: SenderClient, tracker: Tracker) -> None:
    """Print the metrics, the slices, and where the results were logged."""
    rows = {}
    for part, evaluation in found.parts:
        name = part.name
        headlines = {each: evaluation.metrics[each] for each in evaluation.headlines}
        cells = format_metrics({
            "metrics": {name: headlines}, "intervals": {name: evaluation.interval_ends()},
            "withheld": {name: evaluation.withheld_headlines()},
        })  # fmt: skip
        seen = f", {part.seen.total:,} of them seen" if part.seen and part.seen.total else ""
        rows[f"{name}, {counted(evaluation.samples, 'sample')}{seen}"] = cells[name]
    get_console().print(metrics_table(rows))
    for each in found.slices:
        _announce_slices(each)
    announce_place(client, tracker)


def announce_place(client: SenderClient, tracker: Tracker) -> None:
    """Print where the results of a run are: its folder, and its page in MLflow."""
    log.info("folder:           %s", tracker.folder)
    warn_of_pending(tracker.folder)
    run: RunLocation | None = client.run
    if run is not None:
        log.info("MLflow run:       %s", run.run_id)
        log.info("this run:         %s", run_link(run.uri, run.experiment_id, run.run_id))


def _announce_slices(slices: Slices) -> None:
    metric, worst = slices.metric, slices.worst
    for value, each in slices.found.items():
        found, interval = each.metrics.get(metric), each.intervals.get(metric)
        ends = {metric: (interval.low, interval.high)} if interval else {}
        row = {} if found is None else {metric: found}
        words = format_metrics({
            "metrics": {"": row}, "intervals": {"": ends}, "withheld": {"": each.withheld},
        })[""]  # fmt: skip
        mark = "  ← the worst" if value == worst else ""
        log.info(
            "%s=%s (%s): %s %s, %s%s", slices.column, value, counted(each.samples, "sample"),
            metric, words.get(metric, "undefined"), slices.differences[value].words(), mark,
        )  # fmt: skip
    if worst is None:
        log.info("%s: no slice is worse than the rest by more than chance", slices.column)
    if slices.small:
        small = ", ".join(f"{value} ({count})" for value, count in list(slices.small.items())[:10])
        log.info("%s: too few samples to compare: %s%s", slices.column, small,
                 " and more" if len(slices.small) > 10 else "")  # fmt: skip
