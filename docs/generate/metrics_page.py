"""The page of all metrics: formula, source, direction, label modes and interval of each."""

from generate.markdown import cell, code, table
from sightline.metrics.metric import NOTATION, Basis, Metric, Role
from sightline.metrics.registry import registry_of

INTRODUCTION = f"""\
# Metrics

A metric is logged as `SPLIT/NAME`: `val/accuracy` at each epoch, `val_best/accuracy` and
`test/accuracy` of the best checkpoint.
Its name ends with its average, where classes are averaged. {NOTATION}

What depends on decisions also has a value `NAME_tuned`, by the fitted thresholds; what depends on
probabilities has `NAME_calibrated`. What each interval assumes: [](../guides/evaluation.md).
"""
SHOWN: dict[Role, str] = {
    "epoch": "Computed at each validation; can be the `monitor`",
    "headline": "Computed at the end, shown first",
    "further": "Computed at the end",
}
DEPENDS: dict[Basis, str] = {
    "decisions": "decisions", "ranking": "the order of probabilities",
    "probabilities": "probabilities", "fitted": "what was fitted on val (`tuning`)",
}  # fmt: skip
MODES = {"single_label": "binary, multiclass", "multi_label": "multilabel"}
HEADS = ("metric", "formula, *source*", "better, label modes, depends on", "interval")


def metrics_page() -> str:
    """The page in Markdown."""
    parts = [INTRODUCTION]
    for role, title in SHOWN.items():
        rows = [_row(metric) for metric in registry_of().metrics if metric.role == role]
        parts += [f"## {title}\n", table(HEADS, rows)]
    return "\n".join(parts)


def _row(metric: Metric) -> tuple[str, ...]:
    modes = ", ".join(MODES.get(mode, mode) for mode in metric.modes) or "all modes"
    better = "higher" if metric.higher_is_better else "lower"
    return (
        code(metric.name), f"{cell(metric.formula)}. *{cell(metric.source)}*",
        f"{better}; {modes}; {DEPENDS[metric.basis]}", cell(_interval(metric)),
    )  # fmt: skip


def _interval(metric: Metric) -> str:
    if metric.has_formula:
        return metric.interval_method
    if metric.not_resampled is not None:
        return f"none: {metric.not_resampled}"
    scale = "" if metric.scale == "identity" else f", on the {metric.scale} scale"
    return f"jackknife{scale}"
