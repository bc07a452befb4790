"""Names of sweeps: readable, without paths, the same for the same command."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.configs import changed_config

from sightline import paths
from sightline.config.schema import Job
from sightline.paths import sweep_name, sweep_title
from sightline.runs.frozen import read_frozen
from sightline.sweeps.plan import told_apart
from sightline.sweeps.sweep import SweepJob, open_job
from sightline.tracking.description import run_name


@pytest.mark.parametrize(("words", "title"), [
    (["-m", "data=folder", "data.root=/home/me/photos", "model.widths=[4,8],[8,16]", "seed=1,2"],
     "widths × seed-photos"),
    (["-m", "model.hidden=8,32", "seed=range(0,5)", "hydra.launcher.n_jobs=2"], "hidden × seed"),
    (["-m", "optimizer.lr=tag(log,interval(1e-4,1e-1))", "experiment=linear_probe"],
     "lr-linear_probe"),
    (["-m", "seed=1"], "sweep"),
])  # fmt: skip
def test_a_name_says_what_differs_and_on_which_data(words: list[str], title: str) -> None:
    name = sweep_name(words)
    assert sweep_title(name) == title
    assert "/" not in name
    assert sweep_name([*words, "tracking.uri=http://x", "sweep.max_failures=1"]) == name
    assert sweep_name([*words, "trainer.max_epochs=3"]) != name


def test_a_folder_of_an_earlier_version_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "project_root", lambda: tmp_path)
    words = ["-m", "model.hidden=8,32", "seed=1,2"]
    digest = sweep_name(words).rpartition("-")[2]
    former = f"model.hidden=8,32_seed=1,2-{digest}"
    (tmp_path / "sweeps" / former).mkdir(parents=True)
    assert sweep_name(words) == former


def jobs_of(tmp_path: Path, name: str, *overrides: list[str]) -> list[SweepJob]:
    config = changed_config(f"tracking.run_name={name}")
    choices = {"label_mode": "multiclass", "data": "digits", "model": "cnn"}
    return [
        open_job(config, Job(tmp_path / str(number), choices, words, "s", "", []))
        for number, words in enumerate(overrides)
    ]


def test_a_given_name_is_followed_by_what_sets_a_job_apart(tmp_path: Path) -> None:
    fixed = ["tracking.run_name=widths", "trainer.max_epochs=3"]
    jobs = jobs_of(
        tmp_path, "widths",
        [*fixed, "optimizer=sgd", "data.root=/home/me/a", "model.widths=[4,8]", "seed=0"],
        [*fixed, "optimizer=adamw", "data.root=/home/me/b", "model.widths=[8,16]", "+seed=1"],
    )  # fmt: skip
    names = []
    for each in told_apart(jobs, []):
        each.folder.freeze(each.config, each.job)
        frozen = read_frozen(each.folder.path / "run.json")
        assert frozen is not None
        names.append(run_name(frozen.config, frozen.job))
    assert names == [
        "widths optimizer=sgd root=a widths=[4,8] seed=0",
        "widths optimizer=adamw root=b widths=[8,16] seed=1",
    ]


def test_jobs_with_names_of_their_own_keep_them(tmp_path: Path) -> None:
    words = (["tracking.run_name=a", "seed=0"], ["tracking.run_name=b", "seed=1"])
    jobs = jobs_of(tmp_path, "a", *words)
    assert [each.job.apart for each in told_apart(jobs, [])] == [[], []]
    (alone,) = jobs_of(tmp_path, "a", words[0])
    assert run_name(alone.config, alone.job) == "a"


def test_a_name_holds_no_folders_of_paths_and_no_packages(tmp_path: Path) -> None:
    given = [
        "data.roots=[/home/me/a,/home/me/b/c]", "+data.kinds={x: /srv/y}",
        "augment.transforms=[{_target_:torchvision.transforms.v2.RandomVerticalFlip,p:0.5},"
        "{_target_: my_package.Fog}]",
    ]  # fmt: skip
    (job,) = jobs_of(tmp_path, "null", ["data.root=/home/me/photos", *given])
    config = job.config.model_copy(
        update={"tracking": job.config.tracking.model_copy(update={"run_name": None})}
    )
    name = run_name(config, job.job)
    assert "/" not in name
    assert "roots=[a,c] kinds={x: y} transforms=[{RandomVerticalFlip p:0.5},{Fog}]" in name
