"""A user's mistakes: exit status 1 (2 for usage), one clear message, nothing left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from support.commands import QUICK, Sightline
from support.images import make_folder

CASES = {
    "misspelt key": (["trainer.max_epoch=3"], "trainer.max_epochs"),
    "misspelt top-level key": (["sede=3"], "'seed'"),
    "misspelt group": (["modle=cnn"], "'model'"),
    "misspelt option": (["model=tim"], "'timm'"),
    "key of another model": (["model.name=resnet18"], "Unknown key 'model.name'"),
    "last part alone": (["lr=0.1"], "optimizer.lr"),
    "added key that nobody takes": (["+typo=1"], "Unknown key 'typo'"),
    "added key of a component": (["+model.width=[4]"], "model.widths"),
    "added key of the optimizer": (["+optimizer.momentun=0.9", "optimizer=sgd"], "momentum"),
    "added key of the tracking": (["+tracking.url=http://x"], "tracking.uri"),
    "no epochs": (["trainer.max_epochs=0"], "trainer.max_epochs=0: expected a whole number from 1"),
    "wrong type": (["trainer.max_epochs=many"], "trainer.max_epochs: expected"),
    "wrong type of ours": (["data.batch_size=big"], "data.batch_size: expected"),
    "wrong type in a list": (["model.widths=[4,wide]"], "model.widths: expected"),
    "out of range": (["model.dropout=1.5"], "model.dropout: expected less than 1"),
    "negative seed": (["seed=-1"], "seed: expected greater than or equal to 0"),
    "no seed": (["seed=null"], "seed: expected"),
    "zero batch": (["data.batch_size=0"], "data.batch_size: expected 'auto' or greater than 0"),
    "binary on ten classes": (
        ["data=folder", "data.root={ten}", "label_mode=binary"],
        "exactly 2 classes",
    ),
    "multilabel on a folder": (
        ["data=folder", "data.root={photos}", "label_mode=multilabel"],
        "use label_mode=binary",
    ),
    "unknown positive class": (
        ["label_mode=binary", "label_mode.positive_class=od"],
        "Did you mean 'odd'",
    ),
    "option of another mode": (["label_mode.positive_class=odd"], "label_mode.positive_class"),
    "unknown model": (["model=timm", "model.name=resnet81"], "resnet18"),
    "no root": (["data=folder"], "data.root=..."),
    "missing folder": (["data=folder", "data.root={photos}s"], "'photos'"),
    "unknown monitor": (["monitor=val/acuracy"], "'val/accuracy'"),
    "monitor on test": (["monitor=test/loss"], "validation metrics alone"),
    "wrong direction": (["monitor_mode=up"], "monitor_mode: expected 'min' or 'max'"),
    "contradicting direction": (
        ["monitor=val/accuracy", "monitor_mode=min"],
        "monitor_mode=min contradicts monitor=val/accuracy",
    ),
    "untrusted target": (["loss._target_=os.system"], "plugins=[os]"),
    "unknown target": (["optimizer._target_=torch.optim.AdamV"], "Did you mean 'Adam'"),
    "gpu without a gpu": (["trainer=gpu"], "finds no GPU"),
    "more devices than exist": (["trainer=cpu", "trainer.devices=999"], "this machine has"),
    "owned argument": (["+trainer.logger=true"], "Sightline sets this itself"),
    "file store": (["tracking.uri=./mlruns"], "expected http(s)://SERVER"),
    "fractions too large": (["data.val_fraction=0.6", "data.test_fraction=0.5"], "nothing is left"),
    "image too small": (["model.widths=[4,4,4,4,4,4]"], "halves the image 6 times"),
    "bad interpolation": (["seed=${{nowhere}}"], "nowhere"),
    "unknown precision": (["trainer.precision=31"], "precision"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_gets_one_clear_message(
    sightline: Sightline, name: str, photos: Path, tmp_path: Path
) -> None:
    overrides, expected = CASES[name]
    ten = tmp_path / "ten"
    if any("{ten}" in override for override in overrides):
        make_folder(ten, {f"c{i}": 3 for i in range(10)})
    given = [override.format(photos=photos, ten=ten) for override in overrides]
    tracked = not any("tracking.uri" in override for override in overrides)
    done = sightline("train", *given, tracked=tracked)
    assert done.status == 1, done.err
    assert expected in done.err
    assert "Traceback" not in done.err
    assert done.err.count("Error") == 1
    assert done.runs == []
    assert not list((tmp_path / "work").rglob("*.yaml")), "a half-written run folder was left"


@pytest.mark.parametrize(
    "arguments",
    [["train", "--no-such-flag"], ["trian"], [], ["train", "seed"], ["train", "a=[1"],
     ["train", "-m", "seed=1,2", "--cfg", "job"]],
)  # fmt: skip
def test_wrong_usage_exits_with_2(sightline: Sightline, arguments: list[str]) -> None:
    done = sightline(*arguments, tracked=False)
    assert done.status == 2
    assert "Traceback" not in done.err


def test_debugging_shows_the_stack(sightline: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_DEBUG", "1")
    done = sightline("train", "+typo=1")
    assert done.status == 1
    assert "Traceback" in done.err


def test_an_empty_class_folder_is_named(sightline: Sightline, photos: Path) -> None:
    (photos / "eel").mkdir()
    done = sightline("train", "data=folder", f"data.root={photos}")
    assert done.status == 1
    assert str(photos / "eel") in done.err


def test_a_split_without_images_is_named(sightline: Sightline, tmp_path: Path) -> None:
    make_folder(tmp_path / "data" / "train", {"a": 4, "b": 4})
    (tmp_path / "data" / "test").mkdir()
    done = sightline("train", "data=folder", f"data.root={tmp_path / 'data'}")
    assert done.status == 1
    assert str(tmp_path / "data" / "test") in done.err


def test_a_class_that_is_not_in_train_is_named(sightline: Sightline, tmp_path: Path) -> None:
    make_folder(tmp_path / "data" / "train", {"cat": 4, "dog": 4})
    make_folder(tmp_path / "data" / "val", {"cat": 2, "dogs": 2})
    done = sightline("train", "data=folder", f"data.root={tmp_path / 'data'}")
    assert done.status == 1
    assert "val/dogs" in done.err
    assert "'dog'" in done.err


def test_too_few_images_to_split_are_named(sightline: Sightline, tmp_path: Path) -> None:
    make_folder(tmp_path / "data", {"cat": 12, "dog": 1})
    done = sightline("train", "data=folder", f"data.root={tmp_path / 'data'}")
    assert done.status == 1
    assert "dog (1)" in done.err


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_image_is_named_without_a_stack(
    sightline: Sightline, tmp_path: Path, workers: int
) -> None:
    root = make_folder(tmp_path / "data", {"cat": 300, "dog": 10}, size=(4, 4))
    data = sorted((root / "cat").iterdir())
    for path in data[:60]:  # more than the statistics look at can be spared
        path.write_bytes(b"not an image")
    for path in data[60:]:
        Image.new("RGB", (8, 8)).save(path)
    done = sightline(
        "train", "data=folder", f"data.root={root}", f"data.num_workers={workers}", *QUICK
    )
    assert done.status == 1
    assert "Cannot read the image" in done.err
    assert "Traceback" not in done.err
    assert done.err.count("Error") == 1


def test_an_unwritable_output_folder_is_named(sightline: Sightline, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = sightline("train", f"hydra.run.dir={tmp_path}/file/run", *QUICK)
    assert done.status == 1
    assert f"{tmp_path}/file" in done.err
    assert "Traceback" not in done.err


def test_an_unwritable_store_is_named(sightline: Sightline, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    uri = f"tracking.uri=sqlite:///{tmp_path}/file/mlflow.db"
    done = sightline("train", uri, *QUICK, tracked=False)
    assert done.status == 1
    assert f"{tmp_path}/file" in done.err
    (tmp_path / "text.db").write_text("this is no database\n" * 100)
    done = sightline("train", f"tracking.uri=sqlite:///{tmp_path}/text.db", *QUICK, tracked=False)
    assert done.status == 1
    assert "text.db" in done.err
    assert "Traceback" not in done.err


def test_an_unreachable_server_ends_within_its_time(
    sightline: Sightline, refusing_port: int
) -> None:
    uri = f"tracking.uri=http://user:secret@127.0.0.1:{refusing_port}"
    done = sightline("train", uri, "tracking.start_timeout_s=1.5", *QUICK, tracked=False)
    assert done.status == 1
    assert "did not answer within 1.5 s" in done.err
    assert "secret" not in done.err + done.out


def test_a_deleted_experiment_is_named(sightline: Sightline) -> None:
    done = sightline("train", *QUICK)
    done.client.delete_experiment(done.run.info.experiment_id)
    again = sightline("train", *QUICK)
    assert again.status == 1
    assert "was deleted" in again.err
    done.client.restore_experiment(done.run.info.experiment_id)


def test_a_refused_job_leaves_a_folder_with_other_things_alone(
    sightline: Sightline, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep me")
    done = sightline("train", f"hydra.run.dir={mine}", "+typo=1")
    assert done.status == 1
    assert (mine / "notes.txt").read_text() == "keep me"
    shutil.rmtree(mine)
