"""Sweeps from the command line: runs that can be told apart, honest selection, errors said."""

from __future__ import annotations

from conftest import QUICK, Sightline

FEW = ["data.test_fraction=0.4", "data.val_fraction=0.4", "trainer.max_epochs=1"]
QUIET = ["tracking.system_metrics_interval_s=null"]


def test_six_runs_can_be_told_apart(sightline: Sightline) -> None:
    done = sightline(
        "train", "-m", "model=cnn,timm", "seed=1,2,3", *FEW, *QUIET, "optimizer.lr=0.01",
        "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    assert done.status == 0, done.err
    names = [run.data.tags["mlflow.runName"] for run in done.runs]
    assert len(set(names)) == 6
    assert len({name[:15] for name in names}) == 6 or len({name[:20] for name in names}) == 6
    assert {run.info.status for run in done.runs} == {"FINISHED"}
    assert {(run.data.params["model"], run.data.params["seed"]) for run in done.runs} == {
        (model, seed) for model in ("cnn", "resnet18") for seed in ("1", "2", "3")
    }
    # All were evaluated on the same samples.
    assert len({run.data.params["data.digest.val"] for run in done.runs}) == 1
    folders = {run.data.tags["run_folder"] for run in done.runs}
    assert len(folders) == 6


def test_a_sweep_leaves_the_test_set_alone_unless_asked(sightline: Sightline) -> None:
    done = sightline("train", "-m", "seed=0,1", *QUICK, *FEW)
    assert done.status == 0, done.err
    for run in done.runs:
        assert not any(key.startswith("test/") for key in run.data.metrics)
        assert "val_best/accuracy" in run.data.metrics
    assert not any("test" in path for path in done.artifacts_of(done.runs[0]))
    asked = sightline("train", "-m", "seed=2", "evaluate_test=true", *QUICK, *FEW)
    assert sum("test/accuracy" in run.data.metrics for run in asked.runs) == 1
    single = sightline("train", "seed=4", "evaluate_test=false", *QUICK, *FEW)
    assert "test/accuracy" not in single.runs[0].data.metrics


def test_a_failed_job_is_said_and_the_others_go_on(sightline: Sightline) -> None:
    done = sightline("train", "-m", "model.dropout=0.1,2.0,0.2", *QUICK, *FEW)
    assert done.status == 1
    assert "model.dropout: expected less than 1" in done.err
    assert "1 job of the sweep failed" in done.err
    assert "Traceback" not in done.err
    assert [run.info.status for run in done.runs] == ["FINISHED", "FINISHED"]


def test_a_swept_key_that_is_wrong_is_named(sightline: Sightline) -> None:
    done = sightline("train", "-m", "trainer.max_epoch=1,2")
    assert done.status == 1
    assert "trainer.max_epochs" in done.err
    assert done.runs == []
