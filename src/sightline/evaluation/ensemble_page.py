"""The page report.html of an ensemble's run: its members, and the sections of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.config.schema import TrainConfig
from sightline.errors import counted
from sightline.evaluation.report import OF_A_TRAINING
from sightline.label_modes.base import LabelMode
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.tuned_table import RULE_TITLES
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import compute_all_metrics
from sightline.predictions import Predictions
from sightline.reports.canvas import to_chart
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.figures.disagreement import draw_disagreement
from sightline.reports.metric_tables import metric_tables
from sightline.reports.parts import Cell, Section, Table
from sightline.reports.verdict import verdict
from sightline.tracking.tracker import Tracker
from sightline.training.logging import report

OF_IMAGES = ("grad_cam", "embedding")  # sections of the model on images, which are not read here
INFORMATION = "mutual_information"  # column of the stored predictions, and metric
SHOWN = ("accuracy", "log_loss")  # of each member; every label mode has them


@dataclass(frozen=True)
class MemberTables:
    """A member as the page shows it.

    Attributes:
        name: of its run.
        weight: in the mean.
        tables: its predictions of each split, of the ensemble's samples.
    """

    name: str
    weight: float
    tables: Mapping[str, Predictions]


def log_ensemble_page(
    tracker: Tracker, members: Sequence[MemberTables], mode: LabelMode,
    tables: Mapping[str, Predictions], tuning: Tuning, found: Mapping[str, Evaluation],
    config: TrainConfig, facts: Mapping[str, str],
) -> None:  # fmt: skip
    """Log the page, of test where it was evaluated, else of val.

    Args:
        tracker: of the run.
        members: of the ensemble.
        mode: of the tables.
        tables: of the ensemble, by split.
        tuning: fitted on val.
        found: evaluations of the tables.
        config: whose sections are made; without any there is no page.
        facts: about the ensemble, in words.
    """
    split = "test" if "test" in tables else "val"
    table, each, plugins = tables[split], found[split], config.plugins
    evaluated = EvaluatedSplit(split, mode, table, tuning, each.parts)
    shown = [split, *(name for name in found if name != split)]
    content = report.ReportContent(
        title=report.logged_name(tracker),
        subtitle=f"An ensemble on {split}, {counted(len(table), 'sample')}",
        facts=facts,
        metrics=metric_tables(
            {name: found[name].rows() for name in shown},
            headline_names(mode, tuning, plugins),
            RULE_TITLES[tuning.rule],
        ),
        evaluated=evaluated,
        per_class=each.per_class,
        history=[],
        best_epoch=None,
        explainer=None,
        verdict=verdict(evaluated, each, [], plugins),
    )
    sections = {k: v for k, v in config.report.items() if k not in (OF_A_TRAINING, *OF_IMAGES)}
    first = [members_section(members, evaluated, tuple(plugins))] if sections else []
    report.publish_report(tracker, sections, plugins, content, first=first)


def members_section(
    members: Sequence[MemberTables], evaluated: EvaluatedSplit, plugins: tuple[str, ...]
) -> Section:
    """Weights and metrics of the members beside the ensemble's, and their disagreement.

    Args:
        members: with tables of the split.
        evaluated: the ensemble's split.
        plugins: packages whose metrics are used.
    """
    split, mode = evaluated.split, evaluated.label_mode
    rows: list[list[Cell]] = []
    for name, weight, table in (
        *((each.name, each.weight, each.tables[split]) for each in members),
        ("the ensemble", None, evaluated.table),
    ):
        metrics = compute_all_metrics(mode, table, plugins)
        rows.append([name, weight, *(metrics.get(key) for key in SHOWN)])
    information, wrong = evaluated.table.metadata[INFORMATION], evaluated.wrong
    text = (
        f"Members by their weight in the mean; metrics of {split}, by the default rule, before "
        "calibration. Members disagree where their mutual information is large: "
        f"{_mean(information[~wrong])} on average where the ensemble decides rightly"
        + (f", {_mean(information[wrong])} where it is wrong." if wrong.any() else ".")
    )
    chart = to_chart(
        draw_disagreement(information, wrong, f"{split}: disagreement of the members"),
        "disagreement", "Histograms of mutual information of right and of wrong decisions",
    )  # fmt: skip
    listed = Table("members", "Members", ("member", "weight", *SHOWN), rows)
    return Section("Members of the ensemble", text, [listed, chart])


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.4f} nats" if len(values) else "nothing"
