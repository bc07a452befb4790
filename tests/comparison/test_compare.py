"""`sightline compare` on runs as trainings log them; in one test they are really trained."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from support.commands import Sightline

from sightline.comparison.compared_run import ComparedRun, choose_metric, higher_is_better
from sightline.comparison.leaderboard import make_leaderboard
from sightline.errors import UserError
from sightline.predictions import Predictions

SAMPLES = 400


def a_run(
    name: str, accuracy: float | None, status: str = "FINISHED", tags: dict[str, str] | None = None,
    **params: object,
) -> ComparedRun:  # fmt: skip
    """One of config `lr` and `seed`; other parameters are the same in all."""
    given = {"monitor": "val/accuracy", "model": "cnn"} | {k: str(v) for k, v in params.items()}
    given = {key.replace("__", "."): value for key, value in given.items()}
    metrics = {} if accuracy is None else {"val_best/accuracy": accuracy, "val/accuracy": accuracy}
    return ComparedRun(name, name, status, given, metrics, tags or {})


def test_groups_differ_in_more_than_seed_and_fold() -> None:
    runs = [a_run(f"{lr} {seed}", lr + seed / 100, lr=lr, seed=seed) for lr in (0.1, 0.5)
            for seed in (1, 2, 3)]  # fmt: skip
    runs += [a_run(f"fold {fold}", 0.3, seed=1, data__folds=3, data__fold=fold, lr=0.1,
                   data__digest__val=fold) for fold in range(3)]  # fmt: skip
    board = make_leaderboard(runs, "val_best/accuracy", maximise=True)
    assert [len(group.runs) for group in board.groups] == [3, 3, 3]
    assert [round(group.score.mean, 6) for group in board.groups] == [0.52, 0.3, 0.12]
    assert board.columns == ("lr", "data.folds")
    assert board.partner == "val/accuracy"
    values = [0.51, 0.52, 0.53]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert board.groups[0].score.half_width == pytest.approx((high - low) / 2)
    worst = make_leaderboard(runs, "val_best/accuracy", maximise=False)
    assert worst.groups[0].score.mean == board.groups[-1].score.mean


def test_columns_that_tell_most_come_first() -> None:
    runs = [
        a_run(f"run {n}", n / 9, seed=1, data__digest__test=n, optimizer__lr=n, label_mode=n,
              model=f"m{n}")
        for n in range(3)
    ]  # fmt: skip
    board = make_leaderboard(runs, "val_best/accuracy", maximise=True)
    assert board.columns == ("model", "label_mode", "optimizer.lr", "data.digest.test")


def test_what_is_not_ranked_is_listed_with_its_reason() -> None:
    runs = [
        a_run("good", 0.5, lr=1, seed=1),
        a_run("again", 0.5, lr=1, seed=1),
        a_run("reproduced", 0.5, tags={"reproduces": "good"}, lr=1, seed=1),
        a_run("broken", 0.9, "FAILED", {"error": "ValueError: no"}, lr=1, seed=2),
        a_run("stopped", 0.9, "KILLED", lr=1, seed=3),
        a_run("going on", 0.9, "RUNNING", lr=1, seed=4),
        a_run("empty", None, lr=2, seed=1),
        a_run("infinite", float("inf"), lr=2, seed=2),
    ]
    board = make_leaderboard(runs, "val_best/accuracy", maximise=True)
    assert [run.name for group in board.groups for run in group.runs] == ["good"]
    assert board.groups[0].others == 5
    assert board.groups[0].score.half_width is None
    assert {each.run.name: each.reason for each in board.unranked} == {
        "again": "the same config and seed as good",
        "reproduced": "reproduces good",
        "broken": "FAILED: ValueError: no",
        "stopped": "KILLED",
        "going on": "RUNNING",
        "empty": "has no val_best/accuracy",
        "infinite": "has no val_best/accuracy",
    }


def test_the_metric_is_what_runs_monitor_or_what_is_given() -> None:
    runs = [a_run("a", 0.5), a_run("b", 0.6)]
    assert choose_metric(runs, None, None) == "val_best/accuracy"
    assert choose_metric(runs, "accuracy", "val") == "val_best/accuracy"
    assert choose_metric(runs, "val/accuracy", None) == "val/accuracy"
    with pytest.raises(UserError, match=r"metric=val_best/acuracy.*mean 'val_best/accuracy'"):
        choose_metric(runs, "acuracy", None)
    with pytest.raises(UserError, match="None of the 1 runs has a metric yet"):
        choose_metric([a_run("a", None)], None, None)
    assert higher_is_better("test/f1_macro")
    for lower in ("val_best/log_loss", "test/hamming_loss", "val/loss", "test/ece", "test/brier"):
        assert not higher_is_better(lower)
    assert not higher_is_better("test/ece_calibrated")
    with pytest.raises(UserError, match=r"metric=test/speed: .* Give mode=max or mode=min"):
        higher_is_better("test/speed")


def answers(right: np.ndarray, seed: int = 0) -> Predictions:
    """A binary table that is right where it is said, with ids in an order of its own."""
    targets = np.arange(len(right)) % 2
    positive = np.where(right, targets, 1 - targets) * 0.6 + 0.2
    order = np.random.default_rng(seed).permutation(len(right))
    ids = np.array([f"{index}.png" for index in range(len(right))])
    probs = np.stack([1 - positive, positive], axis=1).astype(np.float32)
    return Predictions(ids[order], targets[order], probs[order], ("no", "yes"), "binary")


Logged = Callable[..., str]


@pytest.fixture
def logged(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> Logged:
    """Log a run with predictions of val and test; returns its id."""
    client = MlflowClient(store)
    experiment = client.create_experiment(request.node.name[:200], str(tmp_path / "artifacts"))

    def log(
        table: Predictions | None, status: str = "FINISHED", tags: dict[str, str] | None = None,
        digest: str = "a" * 32, **params: object,
    ) -> str:  # fmt: skip
        given = {"monitor": "val/accuracy", "model": "cnn", "data.digest.val": digest,
                 "data.digest.test": digest} | params  # fmt: skip
        metrics: dict[str, float] = {}
        if table is not None:
            accuracy = float((table.probs.argmax(axis=1) == table.targets).mean())
            metrics = {f"{split}/accuracy": accuracy for split in ("val", "val_best", "test")}
        run = client.create_run(experiment, run_name=f"run of {params}")
        client.log_batch(
            run.info.run_id,
            [Metric(key, value, 0, 0) for key, value in metrics.items()],
            [Param(key.replace("__", "."), str(value)) for key, value in given.items()],
            [RunTag(key, value) for key, value in (tags or {}).items()],
        )
        for split in ("val", "test") if table is not None else ():
            table.write(Path(run.info.artifact_uri) / f"predictions/{split}.parquet")
        client.set_terminated(run.info.run_id, status)
        return str(run.info.run_id)

    return log


def right(misses: Iterable[int]) -> np.ndarray:
    found = np.ones(SAMPLES, bool)
    found[list(misses)] = False
    return found


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_leaderboard_in_every_form(sightline: Sightline, logged: Logged, tmp_path: Path) -> None:
    for seed in range(6):
        logged(answers(right(range(20 + seed)), seed), seed=seed, lr=0.1)
        logged(answers(right(range(10, 55 + seed)), seed), seed=seed, lr=0.2)
    logged(answers(right(range(21))), seed=0, lr=0.3)
    logged(answers(right([])), "FAILED", {"error": "out of memory"}, seed=6, lr=0.1)
    sweep = logged(None, tags={"kind": "sweep", "run_folder": "/sweeps/a"})
    logged(answers(right(range(24))), tags={"run_folder": "/sweeps/a/0"}, seed=9, lr=0.4)
    logged(answers(right([])), tags={"kind": "evaluation", "test.looks": "0"}, seed=0, lr=0.9)
    out = tmp_path / "out"
    done = sightline("compare", "metric=test/accuracy", f"output={out}")
    assert done.status == 0, done.err
    board = rows_of(out / "leaderboard.csv")
    assert [row["lr"] for row in board] == ["0.3", "0.1", "0.4", "0.2"]
    assert [row["runs"] for row in board] == ["1", "6", "1", "6"]
    assert set(board[0]) >= {"test/accuracy mean", "test/accuracy ± 95 %", "val_best/accuracy mean"}
    assert not {"model", "monitor", "seed"} & set(board[0])
    values = [1 - (20 + seed) / SAMPLES for seed in range(6)]
    assert float(board[1]["test/accuracy mean"]) == pytest.approx(np.mean(values))
    tests = rows_of(out / "tests.csv")
    assert [row["verdict"] for row in tests] == [
        *["these two runs: no difference shown"] * 2, "these two runs: that of 1 is better",
    ]  # fmt: skip
    assert {row["covers"] for row in tests} == {"these two runs, over test images"}
    counts = [[0, 34], [10, 0]]  # 0.3 misses 0 to 20, 0.2 misses 10 to 54, of seed 0
    assert float(tests[2]["p"]) == pytest.approx(reference_mcnemar(counts, exact=True).pvalue)
    assert [tests[2][key] for key in ("first alone right", "second alone right")] == ["34", "10"]
    # The best was picked on the same images: each of the six pairs of groups could be this one.
    assert float(tests[2]["p holm"]) == pytest.approx(6 * float(tests[2]["p"]))
    assert board[1]["test/accuracy ± covers"] == "over seeds and samples"
    for text in (done.out, (out / "comparison.md").read_text()):
        assert "out of memory" in text
        assert "these two runs: " in text
        assert re.search(r"has been\s+looked at 15 times, by 15\s+runs", text)
        assert re.search(r"A verdict on two runs says\s+nothing on their configs", text)
        assert re.search(r"Group 1 is\s+the\s+best\s+of\s+4, so", text)
    assert "these two runs: no difference shown" in (out / "comparison.md").read_text()
    html = (out / "comparison.html").read_text()
    assert "data:image/png;base64," in html
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    found = MlflowClient(done.store).list_artifacts(sweep, "comparison")
    assert "comparison/comparison.html" in {each.path for each in found}
    again = sightline("compare", f"output={out}")
    assert again.status == 1
    assert "overwrite=true" in again.err
    assert sightline("compare", f"output={out}", "overwrite=true", "against=0").status == 0
    assert not (out / "tests.csv").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_configs_are_tested_over_seeds_and_images(sightline: Sightline, logged: Logged) -> None:
    for seed in range(4):
        logged(answers(right(range(20 + seed))), seed=seed, lr=0.1)
        logged(answers(right(range(50, 80 + 3 * seed))), seed=seed, lr=0.2)
        logged(answers(right(range(200, 222 + seed))), seed=seed, lr=0.3)
    done = sightline("compare", "output=out")
    tests = rows_of(Path("out/tests.csv"))
    assert [row["verdict"] for row in tests] == ["no difference shown"] * 2
    assert {row["covers"] for row in tests} == {"over seeds and val images"}
    assert {row["test"] for row in tests} == {"t-test over seeds and samples"}
    means = [1 - np.mean(np.arange(20, 24)) / SAMPLES, 1 - np.mean(30 + 3 * np.arange(4)) / SAMPLES]
    assert float(tests[1]["difference"]) == pytest.approx(means[0] - means[1])
    for row in tests:  # what would have been shown lies beyond what was not
        assert float(row["shown from"]) > abs(float(row["difference"]))
    assert "Wilcoxon" not in done.out
    assert re.search(r"± \(95 %\) covers seeds and val images; that of val/accuracy covers\s+seeds",
                     done.out)  # fmt: skip
    assert max(map(len, done.out.partition("written to")[0].splitlines())) <= 80


def test_other_metrics_are_bootstrapped(sightline: Sightline, logged: Logged, store: str) -> None:
    ids = [
        logged(answers(right(range(start, start + 30))), seed=0, lr=start) for start in (0, 5, 200)
    ]
    for number, run_id in enumerate(ids):
        MlflowClient(store).log_metric(run_id, "val_best/f1_macro", 0.9 - number / 100)
    done = sightline("compare", "metric=f1_macro", "resamples=500", "output=out")
    assert done.status == 0, done.err
    tests = rows_of(Path("out/tests.csv"))
    assert {row["test"] for row in tests} == {"paired bootstrap, 500 resamples"}
    # Equal numbers of mistakes, so about equal F1: nothing is shown.
    assert [row["verdict"] for row in tests] == ["these two runs: no difference shown"] * 2


def links_of(page: Path) -> list[Path]:
    """The files that a page links to."""
    found = re.findall(r'(?:href="|\]\()([^#")]+)["\)]', page.read_text())
    return [(page.parent / unquote(place)).resolve(strict=True) for place in found]


def test_runs_on_other_samples_are_not_paired(sightline: Sightline, logged: Logged) -> None:
    one = logged(answers(right(range(20))), seed=0, lr=0.1)
    other = logged(answers(right(range(30))), digest="b" * 32, seed=0, lr=0.1)
    third = logged(answers(right(range(25))), seed=0, lr=0.3)
    shorter = answers(right(range(40)))
    fewer = logged(
        replace(shorter, ids=shorter.ids[1:], targets=shorter.targets[1:], probs=shorter.probs[1:]),
        seed=0, lr=0.4,
    )  # fmt: skip
    done = sightline("compare", "output=out")
    assert done.status == 0
    boards = sorted(Path("out/boards").iterdir(), key=lambda path: path.name)
    assert [path.name for path in boards] == ["val-aaaaaaaa", "val-bbbbbbbb"]
    assert [len(rows_of(board / "leaderboard.csv")) for board in boards] == [3, 1]
    tests = rows_of(boards[0] / "tests.csv")  # the other board's run is in no pair
    assert [row["verdict"] for row in tests] == [
        "these two runs: no difference shown", "not tested",
    ]  # fmt: skip
    assert not (boards[1] / "tests.csv").exists()
    for suffix in ("html", "md"):
        pages = [board / f"comparison.{suffix}" for board in boards]
        index = Path(f"out/comparison.{suffix}")
        assert links_of(index) == [page.resolve() for page in pages]
        assert links_of(pages[0]) == [index.resolve(), pages[1].resolve()]
        assert links_of(pages[1]) == [index.resolve(), pages[0].resolve()]
    assert not Path("out/leaderboard.csv").exists()
    assert sightline("compare", "output=out", "overwrite=true", "metric=test/loss").status == 1
    uri = f"tracking.uri={done.store}"
    for runs, words in (
        (f"runs=[{one},{other}]", "different tasks"),
        (f"runs=[{one},{fewer}]", "400 and 399 samples, 399 of them in both"),
    ):
        refused = sightline("compare", runs, "split=test", uri, "output=no", tracked=False)
        assert refused.status == 1
        assert words in refused.err
        assert not Path("no").exists()
    two = sightline("compare", f"runs={one},{third}", uri, "output=two", tracked=False)
    assert two.status == 0, two.err


def test_runs_of_one_config_that_are_named_stand_for_themselves(
    sightline: Sightline, logged: Logged, store: str
) -> None:
    ids = [logged(answers(right(range(20 * seed))), seed=seed, lr=0.1) for seed in (1, 3)]
    given = [f"runs=[{','.join(ids)}]", f"tracking.uri={store}", "output=out"]
    done = sightline("compare", *given, tracked=False)
    assert done.status == 0, done.err
    assert [row["run ids"] for row in rows_of(Path("out/leaderboard.csv"))] == ids
    (row,) = rows_of(Path("out/tests.csv"))
    assert row["verdict"] == "these two runs: that of 1 is better"


def test_seeds_of_one_config_are_no_configs(
    sightline: Sightline, logged: Logged, store: str
) -> None:
    """A sweep that is named shows mean and interval; runs that are named are two runs."""
    sweep = logged(None, tags={"kind": "sweep", "run_folder": "/sweeps/b"})
    ids = [logged(answers(right(range(20 * seed))), tags={"run_folder": f"/sweeps/b/{seed}"},
                  seed=seed, lr=0.1) for seed in (1, 2, 3)]  # fmt: skip
    uri = f"tracking.uri={store}"
    done = sightline("compare", f"runs={sweep}", uri, "output=one", tracked=False)
    assert done.status == 0, done.err
    (row,) = rows_of(Path("one/leaderboard.csv"))
    assert row["runs"] == "3"
    assert row["val_best/accuracy ± covers"] == "over seeds and samples"
    assert float(row["val_best/accuracy mean"]) == pytest.approx(0.9)
    # Between these seeds the spread is 0.05, and the images add to its t-interval over 3.
    assert float(row["val_best/accuracy ± 95 %"]) > stats.t.ppf(0.975, 2) * 0.05 / np.sqrt(3)
    assert not Path("one/tests.csv").exists()
    assert "is better" not in done.out
    margin = sightline("compare", f"runs={sweep}", uri, "margin=0.1", "output=m", tracked=False)
    assert "nothing was tested" in margin.out
    # The same beside a job of it: still no run that stands for itself.
    done = sightline("compare", f"runs={sweep},{ids[0]}", uri, "output=two", tracked=False)
    assert [row["runs"] for row in rows_of(Path("two/leaderboard.csv"))] == ["3"]
    done = sightline("compare", f"runs=runs:/{ids[0]},{ids[2]}", uri, "output=three", tracked=False)
    (row,) = rows_of(Path("three/tests.csv"))
    assert row["verdict"] == "these two runs: that of 1 is better"


def test_a_sweeps_run_gets_its_own_jobs_alone(
    sightline: Sightline, logged: Logged, store: str
) -> None:
    """Two sweeps had one folder after another and trained the same; one has two tasks."""

    def sweep(name: str) -> str:
        return logged(None, tags={"kind": "sweep", "sweep.name": name, "run_folder": "/sweeps/c"})

    def job(name: str, number: int, **params: object) -> str:
        tags = {"sweep": name, "run_folder": f"/sweeps/c/{number}"}
        return logged(answers(right(range(20 + number))), tags=tags, seed=number, lr=0.1, **params)

    names = ("c @ 1", "c @ 2")
    sweeps = {name: sweep(name) for name in names}
    jobs = {name: [job(name, number) for number in range(2)] for name in names}
    jobs["c @ 2"].append(job("c @ 2", 2, digest="b" * 32))
    logged(answers(right([])), seed=5, lr=0.2)
    out = Path("out")
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    done = sightline("compare", "output=out", "overwrite=true")
    assert done.status == 0, done.err
    client = MlflowClient(store)
    for name, run in sweeps.items():
        folder = Path(str(client.get_run(run).info.artifact_uri)) / "comparison"
        ranked = [row["run ids"].split() for path in sorted(folder.rglob("leaderboard.csv"))
                  for row in rows_of(path)]  # fmt: skip
        assert sorted(run for ids in ranked for run in ids) == sorted(jobs[name])
        assert len(ranked) == (1 if name == "c @ 1" else 2)
    uri = f"tracking.uri={store}"
    # A sweep that is named stands for its jobs; the other one, of which a job is named, is not
    # summed up by this job.
    words = [f"runs={sweeps['c @ 1']},{jobs['c @ 2'][0]}", uri, "output=out", "overwrite=true"]
    done = sightline("compare", *words, tracked=False)
    assert done.status == 0, done.err
    assert done.out.count("logged to") == 1
    for run in sweeps.values():
        stored = Path(str(client.get_run(run).info.artifact_uri))
        assert not list(stored.rglob("diary.txt"))
    assert (out / "diary.txt").read_text() == "mine"


def test_a_margin_tests_equivalence(sightline: Sightline, logged: Logged) -> None:
    for seed in range(3):
        logged(answers(right(range(20 + seed))), seed=seed, lr=0.1)
        logged(answers(right(range(21 + seed))), seed=seed, lr=0.2)
        logged(answers(right(range(100, 122 + seed))), seed=seed, lr=0.3)
        logged(answers(right(range(100, 200 + seed))), seed=seed, lr=0.4)
    done = sightline("compare", "margin=0.03", "output=out")
    assert done.status == 0, done.err
    tests = rows_of(Path("out/tests.csv"))
    assert [row["equivalence"] for row in tests] == [
        "equivalent within 0.03", "not shown equivalent", "not shown equivalent",
    ]  # fmt: skip
    assert -0.03 < float(tests[0]["low 90 %"]) < float(tests[0]["high 90 %"]) < 0.03
    assert float(tests[1]["high 90 %"]) > 0.03
    assert re.search(r"equivalent\s+within 0.03", done.out)
    for margin, words in (
        ("0", "margin"), ("-0.1", "margin"), ("nan", "margin"), ("inf", "margin"), ("x", "margin"),
        ("3", "values from 0 to 1"),
    ):  # fmt: skip
        refused = sightline("compare", f"margin={margin}", "output=no")
        assert refused.status == 1, margin
        assert words in refused.err
    refused = sightline("compare", "margin=0.03", "against=0", "output=no")
    assert (refused.status, "nothing is tested" in refused.err) == (1, True)
    assert not Path("no").exists()


def test_tuned_metrics_are_tested(sightline: Sightline, logged: Logged, store: str) -> None:
    """Each run by the thresholds and temperature that were fitted for it."""
    table = answers(right(range(40)))
    client = MlflowClient(store)
    for seed in range(4):
        run = logged(table, seed=seed % 2, lr=0.1 if seed < 2 else 0.2)
        threshold = 0.1 if seed < 2 else 0.5  # 0.1: all are yes, which half of them are
        record = {"temperature": 2.0, "thresholds": {"yes": threshold}, "aim": "f1"}
        client.log_dict(run, record, "tuning.json")
        for name, value in (("accuracy_tuned", 0.5 if seed < 2 else 0.9), ("f1_macro_tuned", 0.7),
                            ("log_loss_calibrated", 0.5)):  # fmt: skip
            client.log_metric(run, f"val_best/{name}", value + seed / 1000)
    expected = {"accuracy_tuned": 0.4, "f1_macro_tuned": 0.9 - 1 / 3, "log_loss_calibrated": 0.0}
    for name, difference in expected.items():
        done = sightline("compare", f"metric={name}", "resamples=200", f"output={name}")
        assert done.status == 0, done.err
        (row,) = rows_of(Path(f"{name}/tests.csv"))
        assert abs(float(row["difference"])) == pytest.approx(difference, abs=1e-6), name
        assert row["covers"] == "over seeds and val images"
        assert "held as each run fitted them" in done.out
    (path,) = Path(run_folder(store, run)).glob("tuning.json")
    path.write_text("{")
    done = sightline("compare", "metric=accuracy_tuned", "output=damaged")
    (row,) = rows_of(Path("damaged/tests.csv"))
    assert row["covers"] == "over seeds, on these val images"
    assert "tuning.json is damaged" in row["why not tested"]


def run_folder(store: str, run_id: str) -> str:
    return str(MlflowClient(store).get_run(run_id).info.artifact_uri)


def test_groups_of_images_and_missing_tables_are_said(
    sightline: Sightline, logged: Logged, store: str
) -> None:
    codes = np.arange(SAMPLES) // 5
    last = ""
    for seed in range(3):
        for number, lr in enumerate((0.1, 0.2)):
            table = answers(right(range(20 + seed + 10 * number)))
            order = np.array([int(each.removesuffix(".png")) for each in table.ids])
            last = logged(replace(table, groups=codes[order]), seed=seed, lr=lr)
    sightline("compare", "output=one")
    (row,) = rows_of(Path("one/tests.csv"))
    assert row["covers"] == "over seeds and groups of val images"
    assert row["test"] == "t-test over seeds and samples of 80 groups"
    sightline("compare", "output=two", "metric=test/accuracy", "resamples=100")
    done = sightline("compare", "output=three")
    Path(run_folder(store, last), "predictions/val.parquet").unlink()
    done = sightline("compare", "output=four")
    (row,) = rows_of(Path("four/tests.csv"))
    assert row["covers"] == "over seeds, on these val images"
    values = [[1 - (20 + seed + extra) / SAMPLES for seed in range(3)] for extra in (0, 10)]
    reference = stats.ttest_ind(*values, equal_var=False)
    assert float(row["p"]) == pytest.approx(reference.pvalue)
    assert re.search(r"tested on\s+the\s+logged\s+values\s+alone", done.out)
    assert [row["val_best/accuracy ± covers"] for row in rows_of(Path("four/leaderboard.csv"))] == [
        "over seeds and samples", "over seeds, on these samples",
    ]  # fmt: skip


def test_folds_are_tested_with_the_published_correction(
    sightline: Sightline, logged: Logged
) -> None:
    misses = [[10, 14, 12, 19, 15], [22, 21, 30, 27, 26]]
    for lr, each in zip((0.1, 0.2), misses, strict=True):
        for fold, missed in enumerate(each):
            logged(answers(right(range(missed))), seed=0, lr=lr, data__folds=5, data__fold=fold,
                   **{"data.digest.val": str(fold) * 32})  # fmt: skip
    done = sightline("compare", "output=out")
    (row,) = rows_of(Path("out/tests.csv"))
    assert row["covers"] == "over folds of the val images"
    differences = (np.array(misses[1]) - misses[0]) / SAMPLES
    # Nadeau & Bengio 2003: (1 / k + n_val / n_train) s², Student's t with k - 1.
    error = np.sqrt((1 / 5 + 1 / 4) * differences.var(ddof=1))
    assert float(row["p"]) == pytest.approx(2 * stats.t.sf(differences.mean() / error, 4))
    first = rows_of(Path("out/leaderboard.csv"))[0]
    values = 1 - np.array(misses[0]) / SAMPLES
    half = stats.t.ppf(0.975, 4) * np.sqrt((1 / 5 + 1 / 4) * values.var(ddof=1))
    assert float(first["val_best/accuracy ± 95 %"]) == pytest.approx(half)
    assert first["val_best/accuracy ± covers"] == "over folds, on these samples"
    assert "Nadeau" in done.out


def test_what_cannot_be_compared_is_said(sightline: Sightline, logged: Logged) -> None:
    empty = sightline("compare")
    assert (empty.status, "has no runs yet" in empty.err) == (1, True)
    logged(None, "FAILED", seed=0)
    nothing = sightline("compare")
    assert (nothing.status, "has a metric yet" in nothing.err) == (1, True)
    gone = logged(answers(right(range(9))), seed=1, lr=0.1)
    alone = sightline("compare", "output=one")
    assert alone.status == 0
    assert re.search(r"1 finished run without a stored\s+config", alone.out)
    assert "single run" in alone.out
    logged(answers(right(range(12))), seed=1, lr=0.2)
    run = MlflowClient(alone.store).get_run(gone)
    (Path(run.info.artifact_uri) / "predictions/val.parquet").unlink()
    done = sightline("compare", "output=two")
    assert done.status == 0
    assert "has no artifact" in done.out
    assert "predictions/val.parquet" in done.out
    for arguments, words in (
        (["metric=val_best/acuracy"], "Did you mean 'val_best/accuracy'"),
        (["metrik=accuracy"], "Did you mean 'metric'"),
        (["mode=min"], "mode=min contradicts metric=val_best/accuracy"),
        (["runs=[.]"], "exclude each other"),
        (["against=many"], "against"),
    ):
        refused = sightline("compare", *arguments)
        assert refused.status == 1, arguments
        assert words in refused.err
        assert "Traceback" not in refused.err
    uri = f"tracking.uri={done.store}"
    name = "test_what_cannot_be_compared_is_sad"
    unknown = sightline("compare", uri, f"tracking.experiment={name}", tracked=False)
    assert "Did you mean 'test_what_cannot_be_compared_is_said'" in unknown.err
    missing = sightline("compare", uri, f"runs=[{'0' * 31}f]", tracked=False)
    assert "has no run with this id" in missing.err
    assert not list(Path().glob("comparisons/*/*"))
