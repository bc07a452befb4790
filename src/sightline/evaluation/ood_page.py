"""The page ood/report.html: a section for each set of unknown images."""

from collections.abc import Sequence

from sightline.errors import counted
from sightline.evaluation.ood_outputs import MeasuredScore
from sightline.metrics.ood_detection import Detection
from sightline.metrics.ood_rule import OodRule
from sightline.reports.canvas import to_chart
from sightline.reports.figures.unknown_images import draw_roc, draw_scores
from sightline.reports.page import Page, render_page
from sightline.reports.parts import Cell, Chart, Section, Table, WithInterval
from sightline.tracking.tracker import Tracker

COLUMNS = ("score", "AUROC", "FPR at 95 %", "AUPR")


def log_unknown_page(
    tracker: Tracker, title: str, split: str, rule: OodRule | None,
    found: Sequence[MeasuredScore],
) -> None:  # fmt: skip
    """Log the page, and its charts as files beside it.

    Args:
        tracker: of the run.
        title: the run's name.
        split: whose images are the known ones.
        rule: that the model abstains by; None without one.
        found: every score of every set, set by set.
    """
    names = list(dict.fromkeys(each.set_name for each in found))
    sections = [
        unknown_section(f"{place}_", split, rule, [e for e in found if e.set_name == name])
        for place, name in enumerate(names, 1)
    ]
    for section in sections:
        for part in section.parts:
            if isinstance(part, Chart):
                tracker.log_png(part.png, f"ood/report/{part.name}.png")
    facts = {"known images": f"{counted(len(found[0].known), 'image')} of {split}"}
    facts["rule"] = rule.words() if rule else "none: the model answers for every image"
    subtitle = f"Unknown images against {split}: {counted(len(names), 'set')}"
    verdict = [section.finding for section in sections if section.finding]
    page = Page(title, subtitle, facts, [], sections, [], verdict=verdict)
    tracker.log_data(render_page(page), "ood/report.html")


def unknown_section(
    prefix: str, split: str, rule: OodRule | None, scores: Sequence[MeasuredScore]
) -> Section:
    """What the scores of one set tell.

    Args:
        prefix: of the charts' names.
        split: whose images are the known ones.
        rule: that the model abstains by; None without one.
        scores: of the set.
    """
    name, detections = scores[0].set_name, {each.score: each.detection for each in scores}
    pairs = {each.score: (each.known, each.unknown) for each in scores}
    kept = {score: each.threshold for score, each in detections.items()}
    limit = None if rule is None else (rule.score, rule.threshold)
    areas = {key: (pairs[key], each.values["auroc"]) for key, each in detections.items()}
    best = max(scores, key=lambda each: each.detection.values["auroc"])
    text = (
        f"{counted(len(best.unknown), 'image')} of {name} against "
        f"{counted(len(best.known), 'image')} of {split}. Higher scores are more unlike the "
        "training images. FPR at 95 % is the share of unknown images that is taken for known at "
        "the threshold that keeps 95 % of the known ones; in AUPR the unknown are the positives."
    )
    applied = next((each for each in scores if rule and each.score == rule.score), None)
    if rule is not None and applied is not None:
        away, own = (rule.unknown(each).mean() for each in (applied.unknown, applied.known))
        text += (
            f" Over the model's own threshold, {rule.score} {rule.threshold:.4g}, are {away:.1%} "
            f"of them, and {own:.1%} of {split}."
        )
    rows: list[list[Cell]] = [
        [each.score, *(_cell(each.detection, key) for key in ("auroc", "fpr95", "aupr"))]
        for each in scores
    ]
    charts = [
        to_chart(draw_roc(areas, f"{name} against {split}"), f"{prefix}roc",
                 f"ROC curves of {', '.join(pairs)}"),
        to_chart(draw_scores(pairs, kept, limit, f"{name} against {split}"), f"{prefix}scores",
                 "Histograms of scores of known and unknown images"),
    ]  # fmt: skip
    area = _cell(best.detection, "auroc")
    finding = (
        f"{name}: {best.score} finds them best, AUROC {area.value:.4f}"
        + (f" ({area.interval})" if area.interval else "")
        + f"; at 95 % of {split} kept, {best.detection.values['fpr95']:.1%} is taken for known."
    )
    table = Table(None, "Detection, with 95 % intervals", COLUMNS, rows)
    return Section(f"Unknown images: {name}", text, [table, *charts], finding=finding)


def _cell(detection: Detection, key: str) -> WithInterval:
    ends = detection.intervals[key]
    low, high = (ends.low, ends.high) if ends else (None, None)
    return WithInterval(detection.values[key], low, high, None if ends else "too few to say")
