"""The last lines of a training: its main metrics, the worst classes, and where the rest is."""

import logging
from collections.abc import Mapping
from typing import Any

from rich import get_console

from sightline.config.targets import locate
from sightline.metrics.metric import TUNED
from sightline.reports.class_table import worst_classes
from sightline.reports.formatted_metrics import format_metrics, metrics_table, rule_of
from sightline.reports.terminal import to_rich
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.links import run_link, served, view_links
from sightline.tracking.task import task_facts

log = logging.getLogger(__name__)


def announce(folder: RunFolder, results: Mapping[str, Any], with_links: bool) -> None:
    """Print the last lines of the command: metrics, the run's id and where to look at it.

    Args:
        folder: the run's own.
        results: the content of `results.json`.
        with_links: whether addresses in the UI are printed.
    """
    main = _main_names(folder, results)
    words = {
        f"{split} (best checkpoint)": {name: cells[name] for name in main if name in cells}
        for split, cells in format_metrics(results).items()
    }
    run = folder.upload.location
    if not with_links:  # a job of a sweep, which ends with its board
        split, cells = next(iter(words.items()))
        log.info("%s: %s", split, "  ".join(f"{n} {value}" for n, value in cells.items()))
        return
    console = get_console()
    console.print(metrics_table(words))
    split = list(results["metrics"])[-1]
    path = folder.path / "per_class" / f"{split}.csv"
    worst = worst_classes(path, split, rule_of(results)) if path.is_file() else None
    if worst is not None:
        console.print(to_rich(worst))
    log.info("folder:           %s", folder)
    log.info("MLflow run:       %s", run.run_id if run else "not in MLflow yet")
    name = run.run_id[:8] if run else folder
    log.info("everything else:  sightline show %s", name)
    if run is None:
        return
    log.info("its model:        runs:/%s/model", run.run_id)
    log.info("serve it:         sightline serve run=%s   # prints a request to try", name)
    if not served(run.uri):
        log.info("its pages:        sightline ui, then:")
    links = {"this run": run_link(run.uri, run.experiment_id, run.run_id)}
    links |= view_links(run.uri, run.experiment_id, task_facts(folder.state.params))
    for title, link in links.items():
        log.info("%s %s", f"{title}:".ljust(17), link)


def _main_names(folder: RunFolder, results: Mapping[str, Any]) -> list[str]:
    """The metrics that are read first in the run's label mode: the loss, the monitor, and its own.

    Of decisions those by the run's decision rule.
    """
    frozen = folder.frozen
    assert frozen is not None
    config = frozen.config
    mode = locate(config.label_mode, "label_mode", config.plugins)
    wanted = dict.fromkeys(("loss", config.monitor.partition("/")[2], *mode.main_metrics))
    known = {name for found in results["metrics"].values() for name in found}
    tuned = TUNED if rule_of(results) == "tuned" else ""
    names = (name + tuned if name + tuned in known else name for name in wanted)
    return [name for name in names if name in known]
