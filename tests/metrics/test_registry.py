"""One registry of metrics: a plugin's file is seen everywhere, and directions have one source."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.commands import QUICK, Sightline
from support.random_tables import make_mode, random_table

from sightline.comparison.compared_run import ComparedRun, higher_is_better
from sightline.comparison.leaderboard import make_leaderboard
from sightline.config.compose import compose_job
from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.metric import Metric
from sightline.metrics.monitor import monitor_mode
from sightline.metrics.registry import registry_of
from sightline.metrics.slices import measure_slices
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import compute_metrics, metric_names
from sightline.runs.resume import differences
from sightline.sweeps.search.options import (
    SearchOptions,
    check_search_options,
    read_objectives,
)

MISSES = """
from sightline.metrics.metric import Metric


class MissRate(Metric):
    name = "miss_rate"
    higher_is_better = False
    modes = ("single_label",)
    role = "epoch"

    def value(self, table):
        return float((table.preds != table.target).double().mean())

    def resampled(self, table):
        return table.counts.error()


METRICS = [MissRate()]
"""

Plugin = Callable[[str, str], str]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Write one new metric file into a package of the given name; returns the package's name."""

    def write(package: str, text: str) -> str:
        folder = tmp_path / "site" / package
        (folder / "metrics").mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "metrics" / "__init__.py").touch()
        (folder / "metrics" / "added.py").write_text(text)
        monkeypatch.syspath_prepend(str(folder.parent))
        monkeypatch.setenv("PYTHONPATH", str(folder.parent), prepend=":")
        return package

    return write


def config_of(*words: str) -> TrainConfig:
    return compose_job(list(words))[0]


def test_a_metric_is_one_new_file(plugin: Plugin) -> None:
    plugins = [plugin("plugin_with_a_metric", MISSES)]
    mode = make_mode("multiclass")
    sites = np.array(["good", "bad"])[np.arange(400) % 2]
    table = random_table(mode, 400)
    wrong = np.where(sites == "bad", (table.targets + 1) % 5, table.targets)
    table = replace(table, targets=wrong, metadata={"site": sites})
    assert "miss_rate" not in metric_names(mode)
    assert metric_names(mode, plugins)[-1] == "miss_rate"
    epoch = compute_metrics(mode, table, plugins)
    assert epoch["miss_rate"] == pytest.approx(1 - epoch["accuracy"])
    found = evaluate_table(mode, table, Tuning(), plugins=plugins)
    interval = found.intervals["miss_rate"]
    assert interval.low < found.metrics["miss_rate"] < interval.high
    assert "miss_rate" in found.headlines
    slices = measure_slices(mode, table, Tuning(), "site", "miss_rate", plugins=plugins)
    assert slices.worst == "bad"  # the highest, as lower is better
    runs = [
        ComparedRun(f"run {rate}", "", "FINISHED", {"lr": f"{rate}"}, {"test/miss_rate": rate}, {})
        for rate in (0.3, 0.1, 0.2)
    ]
    board = make_leaderboard(runs, "test/miss_rate", higher_is_better("test/miss_rate", plugins))
    assert [group.score.mean for group in board.groups] == [0.1, 0.2, 0.3]
    assert monitor_mode(config_of("monitor=val/miss_rate", f"plugins={plugins}")) == "min"
    assert "miss_rate" not in {metric.name for metric in registry_of().metrics}


def test_a_plugins_metric_is_computed_and_monitored_in_training(
    sightline: Sightline, plugin: Plugin
) -> None:
    package = plugin("plugin_in_training", MISSES)
    words = [*QUICK, f"plugins=[{package}]", "monitor=val/miss_rate"]
    done = sightline("train", *words)
    assert done.status == 0, done.err
    metrics = done.run.data.metrics
    assert metrics["val_best/miss_rate"] == pytest.approx(1 - metrics["val_best/accuracy"])
    board = sightline("compare", f"plugins=[{package}]", "output=board")
    assert board.status == 0, board.err
    assert "less is better" in Path("board/comparison.md").read_text()


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("    higher_is_better = False\n", r"added\.py\): the metric 'miss_rate' \(MissRate\) does "
         "not define its direction; add `higher_is_better = True`"),
        ('    name = "miss_rate"\n', "MissRate has no name"),
        ("    def resampled(self, table):\n        return table.counts.error()\n",
         "'miss_rate' has no resampled form; define `resampled`"),
    ],
)  # fmt: skip
def test_an_incomplete_metric_is_refused(plugin: Plugin, left_out: str, message: str) -> None:
    package = plugin(f"plugin_without_{len(left_out)}", MISSES.replace(left_out, ""))
    with pytest.raises(UserError, match=message) as refused:
        registry_of([package])
    assert f"{package}.metrics.added" in str(refused.value)


def test_a_plugin_cannot_replace_a_metric(plugin: Plugin) -> None:
    package = plugin("plugin_with_a_known_name", MISSES.replace("miss_rate", "accuracy"))
    with pytest.raises(UserError, match="there is another metric called 'accuracy'"):
        registry_of([package])


def test_directions_are_known_without_torch() -> None:
    code = (
        "import sys\nfrom sightline.metrics.registry import registry_of\n"
        "assert registry_of().higher_is_better('ece_calibrated') is False\n"
        "assert registry_of().higher_is_better('f1_macro_tuned') is True\n"
        "assert not {'torch', 'torchmetrics', 'scipy', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_metrics_of_one_name_have_one_direction(name: str) -> None:
    metrics = registry_of().of(make_mode(name))
    assert len({metric.name for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert registry_of().higher_is_better(metric.name) == metric.higher_is_better
        resampled = type(metric).resampled is not Metric.resampled
        assert resampled == (metric.not_resampled is None), metric.name


@pytest.mark.parametrize(
    ("monitor", "given", "expected"),
    [
        ("val/loss", None, "min"), ("val/accuracy", None, "max"), ("val/auroc_macro", "max", "max"),
        ("val/loss", "min", "min"), ("val/unknown", None, "min"), ("val/unknown", "max", "max"),
    ],
)  # fmt: skip
def test_the_direction_follows_from_the_metric(
    monitor: str, given: str | None, expected: str
) -> None:
    words = [f"monitor={monitor}", *([f"monitor_mode={given}"] if given else [])]
    assert monitor_mode(config_of(*words)) == expected


def test_a_contradicting_direction_is_refused() -> None:
    config = config_of("monitor=val/accuracy", "monitor_mode=min")
    with pytest.raises(UserError, match="monitor_mode=min contradicts monitor=val/accuracy"):
        monitor_mode(config)


def search_options(direction: object, objective: object) -> SearchOptions:
    return SearchOptions(
        n_trials=1, direction=direction, objective=objective, sampler="tpe", sampler_options={},
        pruner="none", pruner_options={}, seed=0, storage=None, study_name=None,
    )  # type: ignore[arg-type]  # fmt: skip


def objectives_of(options: SearchOptions, sample: TrainConfig) -> list[tuple[str, bool]]:
    check_search_options(options)
    return read_objectives(options, sample)


@pytest.mark.parametrize(
    ("direction", "objective", "words", "expected"),
    [
        (None, None, [], [("val_best/loss", False)]),
        (None, None, ["monitor=val/accuracy"], [("val_best/accuracy", True)]),
        ("maximize", None, ["monitor=val/accuracy"], [("val_best/accuracy", True)]),
        (None, "test/f1_macro_tuned", [], [("test/f1_macro_tuned", True)]),
        (None, "val_best/ece", ["monitor=val/accuracy"], [("val_best/ece", False)]),
        ("minimize", "parameters", [], [("parameters", False)]),
        (
            [None, "minimize"], ["val_best/accuracy", "parameters"], [],
            [("val_best/accuracy", True), ("parameters", False)],
        ),
        (None, None, ["monitor=val/x", "monitor_mode=max"], [("val_best/x", True)]),
    ],
)  # fmt: skip
def test_a_search_has_the_direction_of_its_metric(
    direction: object, objective: object, words: list[str], expected: list[tuple[str, bool]]
) -> None:
    assert objectives_of(search_options(direction, objective), config_of(*words)) == expected


@pytest.mark.parametrize(
    ("direction", "objective", "said"),
    [
        ("maximize", None, "direction=maximize contradicts val_best/loss, where lower is better"),
        ("minimize", "test/accuracy", "contradicts test/accuracy, where higher is better"),
        (
            ["minimize", "maximize"], ["parameters", "val_best/ece_tuned"],
            "contradicts val_best/ece_tuned",
        ),
        (None, "parameters", "direction is missing: .* no parameters"),
        ([None, None], ["val_best/loss", "train/images_per_second"], "direction is missing"),
        (["minimize"], ["val_best/loss", "parameters"], "one for each objective"),
        ("up", None, "direction=up: expected minimize or maximize"),
    ],
)  # fmt: skip
def test_a_search_with_another_direction_is_refused(
    direction: object, objective: object, said: str
) -> None:
    config = config_of()
    with pytest.raises(UserError, match=said):
        objectives_of(search_options(direction, objective), config)


def test_an_explicit_direction_of_an_older_run_is_no_difference() -> None:
    now = config_of("monitor=val/accuracy")
    assert differences(config_of("monitor=val/accuracy", "monitor_mode=max"), now) == []
    changed = differences(config_of("monitor=val/accuracy", "monitor_mode=min"), now)
    assert changed == [("monitor_mode", "min", "max")]
