"""report.html of a run, made section by section, with its charts and tables as files."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sightline.config.components import build, check_node
from sightline.config.validation import Node
from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.raster import ImageData
from sightline.errors import UserError
from sightline.inference.explainer import SampleExplainer
from sightline.io.csv_files import csv_text
from sightline.metrics.tuned_table import RULE_FACT, tuning_facts
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.page import Page, render_page
from sightline.reports.parts import Gallery, Section, Table
from sightline.reports.section_inputs import INPUT_NAMES, Point, SectionInputs
from sightline.reports.thumbnails import draw_contact_sheet
from sightline.tracking.tracker import Tracker

log = logging.getLogger(__name__)

# Errors of one section that leave the others: a missing or failing library, unsuitable data,
# memory, files.
FAILURES = (UserError, ArithmeticError, LookupError, RuntimeError, OSError)


@dataclass(frozen=True)
class ReportContent:
    """Content of a report, before its sections are made.

    Attributes:
        title: the run's name.
        subtitle: checkpoint and split that were evaluated.
        facts: name to value, in order; the decision rule and calibration follow them.
        metrics: tables of metrics.
        evaluated: the split.
        per_class: one row for each class.
        history: metrics of each epoch; empty for an evaluation.
        best_epoch: epoch of the evaluated checkpoint, from 0; None where it is not known.
        explainer: access to images and model; None where only predictions are stored.
        verdict: what the results say, in sentences; findings of sections follow them.
    """

    title: str
    subtitle: str
    facts: Mapping[str, str]
    metrics: Sequence[Table]
    evaluated: EvaluatedSplit
    per_class: Sequence[Mapping[str, object]]
    history: Sequence[Point]
    best_epoch: int | None
    explainer: SampleExplainer | None
    verdict: Sequence[str] = ()


def check_sections(sections: Mapping[str, Node], plugins: Iterable[str]) -> None:
    """Check the sections' configs before the training.

    Raises:
        UserError: a section does not exist, or has no such setting.
    """
    for name, node in sections.items():
        check_node(node, f"report.{name}", plugins, offered=dict.fromkeys(INPUT_NAMES))


def publish_report(
    tracker: Tracker, sections: Mapping[str, Node], plugins: Iterable[str], content: ReportContent,
    folder: str = "", first: Sequence[Section] = (),
) -> None:  # fmt: skip
    """Make the sections, and log the page and every chart, table and gallery as a file.

    A section that fails is named in the page and in the log; the others are made.

    Args:
        tracker: of the run.
        sections: configs by name, in order; without any, nothing is logged.
        plugins: packages whose sections may be named.
        content: of the report.
        folder: prefix of the artifacts' paths, ending in a slash.
        first: sections that no config names, before the others.
    """
    inputs = _inputs(content)
    made: list[Section] = []
    for section in first:
        made.append(section)
        _save(tracker, section, content.evaluated.split, f"{folder}report/")
    problems: list[str] = []
    for name, node in sections.items():
        try:
            section = build(node, f"report.{name}", plugins, offered=vars(inputs))
        except FAILURES as error:
            problems.append(f"{name}: {error}")
            log.warning("report.html is without %s: %s", name, error)
            continue
        made.append(section)
        _save(tracker, section, content.evaluated.split, f"{folder}report/")
    if sections:
        verdict = [*content.verdict, *(each.finding for each in made if each.finding)]
        evaluated = content.evaluated
        facts = dict(content.facts) | tuning_facts(evaluated.label_mode, evaluated.tuning)
        rule = facts.pop(RULE_FACT)
        page = Page(
            content.title, content.subtitle, facts, content.metrics, made, problems,
            verdict=verdict, rule=f"{RULE_FACT}: {rule}",
        )  # fmt: skip
        tracker.log_data(render_page(page), f"{folder}report.html")


def epoch_history(tracker: Tracker) -> list[Point]:
    """The metrics of the run's epochs, in the order in which they were logged."""
    return [
        (key, step, value)
        for key, points in tracker.folder.state.points.items()
        if key.startswith(("train/", "val/"))
        for step, value in points
    ]


def logged_name(tracker: Tracker) -> str:
    """The run's name."""
    return tracker.folder.state.name or tracker.folder.path.name


def _inputs(content: ReportContent) -> SectionInputs:
    explainer = content.explainer
    return SectionInputs(
        evaluated=content.evaluated,
        per_class=[dict(row) for row in content.per_class],
        history=list(content.history),
        best_epoch=content.best_epoch,
        read_image=explainer.read_image if explainer else _no_image,
        embed=explainer.embed if explainer else _no_model,
        explain=explainer.explain if explainer else _no_model,
    )


def _no_model(*_: object) -> Any:
    raise UserError("it needs the images and the model; only stored predictions were available.")


def _no_image(name: str) -> ImageData:
    raise UnreadableImage("(its image was not available)")


def _save(tracker: Tracker, section: Section, split: str, folder: str) -> None:
    for part in section.parts:
        if isinstance(part, Table):
            if part.name is not None:
                tracker.log_data(csv_text(part.columns, part.rows), f"{folder}{part.name}.csv")
        elif isinstance(part, Gallery):
            tracker.log_png(draw_contact_sheet(part, split), f"{folder}{part.name}.png")
            columns = list(dict.fromkeys(key for tile in part.tiles for key in tile.record))
            rows = [[tile.record.get(key) for key in columns] for tile in part.tiles]
            tracker.log_data(csv_text(columns, rows), f"{folder}{part.name}.csv")
        else:
            tracker.log_png(part.png, f"{folder}{part.name}.png")
