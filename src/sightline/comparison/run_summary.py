"""Summary of one run for a terminal: its config beside the defaults, metrics, classes, curves."""

import math
from collections.abc import Iterator, Sequence

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Group, RenderableType
from rich.text import Text

from sightline.config.compose import compose_job
from sightline.config.influence import leaves
from sightline.config.search_path import compose_train
from sightline.errors import DamagedError, UserError
from sightline.io.printable import on_one_line, printable
from sightline.reports.class_table import worst_classes
from sightline.reports.formatted_metrics import format_metrics, metrics_table, rule_of
from sightline.reports.parts import Cell, Table
from sightline.reports.terminal import to_rich
from sightline.runs.folder import RESULTS, RunFolder
from sightline.runs.frozen import Frozen
from sightline.runs.imported import is_imported
from sightline.runs.results import read_results
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.tracking.mlflow.tags import COMMAND, ERROR

BARS = "▁▂▃▄▅▆▇█"
NOT_FINITE = "×"
WIDTH = 40  # characters of a curve
MISSING = "(missing)"  # in the place of a folder
ELSEWHERE = ("seed", "tracking", "plugins", "report")  # parts that do not tell what was trained


def summary(run: StoredRun) -> RenderableType:
    """Everything that one looks for first, from the run's folder and else from MLflow."""
    shown = {
        "id:": run.run_id or "not in MLflow yet",
        "folder:": str(run.folder or ""),
        "command:": run.tags.get(COMMAND),
        "error:": run.tags.get(ERROR),
    }
    status = f"{run.status}, imported" if is_imported(run.tags) else run.status
    title = Text.assemble((on_one_line(run.name), "bold"), f"  {status}")
    lines = [
        Text(f"{name:8} {printable(text)}", overflow="fold") for name, text in shown.items() if text
    ]
    parts: list[RenderableType] = [title, *lines]
    frozen = run.folder.frozen if run.folder else None
    if frozen is not None:
        parts.append(to_rich(changed_values(frozen)))
    if run.status == "FINISHED":
        results = read_results(run.file(RESULTS), None)
        words = format_metrics(results)
        parts.append(metrics_table(words))
        found = _worst_classes(run, list(words)[-1], rule_of(results))
        parts += [to_rich(table) for table in found]
    if run.folder is not None:
        parts += [to_rich(table) for table in (*_curves(run.folder), _files(run.folder))]
    return Group(*parts)


def changed_values(frozen: Frozen) -> Table:
    """The values of a config that are not the defaults of the options which it picks."""
    picked = [f"{group}={choice}" for group, choice in frozen.job.choices.items()
              if choice not in ("None", "null")]  # fmt: skip
    plain = [word for word in picked if not word.startswith(("experiment=", "report="))]
    try:
        base = compose_job([])[1].choices
        defaults = OmegaConf.to_container(compose_train(plain, plain), resolve=True)
    # An option of a folder, or of a version, that is not here.
    except (UserError, HydraException, OmegaConfBaseException):
        words = [[word] for word in frozen.job.overrides]
        return Table(None, "Overrides, as it was launched", ["override"], words)
    chosen = frozen.job.choices.items()
    rows: list[list[Cell]] = [[group, choice, base.get(group)] for group, choice in chosen
                              if choice != base.get(group)]  # fmt: skip
    assert isinstance(defaults, dict)
    given = {word.lstrip("+").partition("=")[0] for word in frozen.job.overrides}
    known = dict(leaves({str(key): value for key, value in defaults.items()}))
    rows += [
        [key, _short(value), _short(known.get(key))]
        for key, value in leaves(frozen.config.model_dump(mode="json"))
        if value != known.get(key)
        and key.partition(".")[0] not in ELSEWHERE
        # Else it was decided at the launch, or left out as idle.
        and (key in given or (value is not None and known.get(key) != "auto"))
    ]
    caption = "Values that are not the default" if rows else "Every value is the default"
    return Table(None, caption, ["key", "here", "default"], rows)


def _worst_classes(run: StoredRun, split: str, rule: str) -> Iterator[Table]:
    """The classes with the lowest F1 score, where a run logged a table of classes."""
    try:
        path = run.file(f"per_class/{split}.csv")
    except DamagedError:
        raise
    except UserError:
        return
    found = worst_classes(path, split, rule)
    if found is not None:
        yield found


def _curves(folder: RunFolder) -> Iterator[Table]:
    """Losses and the monitor over epochs, as bars of characters."""
    points = folder.state.points
    frozen = folder.frozen
    monitor = frozen.config.monitor if frozen else "val/loss"
    keys = dict.fromkeys(("train/loss", "val/loss", monitor, "train/lr"))
    rows = [
        [key, f"{values[0]:.4g}", sparkline(values), f"{values[-1]:.4g}"]
        for key in keys
        if (values := [value for _, value in points.get(key, [])])
    ]
    if rows:
        yield Table(None, "Each epoch", ["metric", "first", "curve", "last"], rows)


def sparkline(values: Sequence[float]) -> str:
    """Values as bars between the least and the greatest; of many, evenly chosen ones; × for NaN."""
    step = max(1, -(-len(values) // WIDTH))
    chosen = list(values[::step])
    finite = [value for value in chosen if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    bars = (BARS[round((v - low) * scale)] if math.isfinite(v) else NOT_FINITE for v in chosen)
    return "".join(bars)


def _files(run: RunFolder) -> Table:
    """The files of a run by their folder, and those that it logged and lacks by now."""
    folder = run.path
    found: dict[str, list[str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = path.relative_to(folder)
        if inside.parts[0] not in ("tracking", "images"):
            found.setdefault(inside.parts[0] if len(inside.parts) > 1 else ".", []).append(
                inside.name
            )
    rows = [[name, ", ".join(files)] for name, files in found.items()]
    missing = sorted(path for path in run.state.digests if not (folder / path).is_file())
    if run.trace() is not None and not run.is_launched:
        missing.append("run.json")
    if missing:
        rows.append([MISSING, ", ".join(missing)])
    return Table(None, "Files", ["folder", "files"], rows)


def _short(value: object) -> str:
    return "" if value is None else str(value)[:60]
