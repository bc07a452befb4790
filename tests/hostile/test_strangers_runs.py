"""Commands on a stranger's run: each refuses in one message, and calls nothing that it names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
import yaml
from support.commands import Sightline
from support.marks import LEFT, arm
from support.runs import Trained

from sightline.runs.journal.file import JournalWriter, read_journal
from sightline.runs.journal.records import ArtifactRecord, ImageRecord
from sightline.runs.place import record_place

EVIL = {"_target_": "torch.nn.modules.module.marks.leave", "x": 1}
REFUSALS = (
    "is not one that Sightline writes", "is not taken from a file", "no module 'torch.nn.modules.",
    "is of another run",
)  # fmt: skip


def seal_again(folder: Path) -> None:
    """Make the journal one of a run that logged its files as they are now, from here."""
    record_place(folder, folder / "tracking")
    journal = folder / "tracking/journal.jsonl"
    records = [record for record, _ in read_journal(journal)]
    journal.unlink()
    writer = JournalWriter(journal)
    for record in records:
        known = isinstance(record, ArtifactRecord | ImageRecord)
        writer.append(replace(record, digest=None) if known else record)
    writer.close()


@pytest.fixture
def strangers(
    trained: Callable[[str], Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Trained:
    """A copy of a finished run whose every config names a function of the stranger's."""
    run = trained("binary")
    folder = tmp_path / "strangers"
    shutil.copytree(run.folder, folder)
    checkpoint = folder / "checkpoints/best.ckpt"
    state = torch.load(checkpoint, weights_only=True)
    config = state["sightline"]["config"]
    config["model"] = config["model"] | {"hidden": (EVIL,)}
    torch.save(state, checkpoint)
    facts = json.loads((folder / "run.json").read_text())
    facts["config"]["loss"] = EVIL
    del facts["digest"]
    facts["arguments"].append("+hydra.callbacks.x._target_=support.marks.leave")
    (folder / "run.json").write_text(json.dumps(facts))
    file = folder / "config/config.yaml"
    values: dict[str, Any] = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(values | {"loss": values["loss"] | {"class_weights": [[EVIL]]}}))
    (folder / "results.json").unlink()  # else a job has nothing to do
    seal_again(folder)
    arm(monkeypatch.setattr)
    LEFT.clear()
    return Trained(folder, run.root, run.store, run.run_id)


@pytest.mark.parametrize("command", [
    "predict run={ckpt} input={root}/test output=out.csv",
    "features run={ckpt} input={root}/test output=out.parquet",
    "evaluate run={ckpt}",
    "export run={ckpt} format=torch_export output=out.pt2",
    "reproduce run={folder}",
    "train resume={folder}",
    "job {folder}",
])  # fmt: skip
def test_every_command_refuses(sightline: Sightline, strangers: Trained, command: str) -> None:
    words = command.format(
        ckpt=strangers.checkpoint, root=strangers.root, folder=strangers.folder
    ).split()
    done = sightline(*words, tracked=False)
    assert done.status == 1, done.out
    assert done.err.startswith("Error: ")
    assert "Traceback" not in done.err
    assert any(words in done.err for words in REFUSALS), done.err
    assert LEFT == []
    assert not list(Path.cwd().glob("out.*"))


def test_a_served_model_of_a_stranger(
    strangers: Trained, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    run = trained("binary")
    mlflow.set_tracking_uri(run.store)
    (tmp_path / "model").mkdir()
    uri = f"runs:/{run.run_id}/model"
    folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path / "model")))
    shutil.copy(strangers.checkpoint, folder / "artifacts/best.ckpt")
    with pytest.raises(Exception, match="is not one that Sightline writes"):
        mlflow.pyfunc.load_model(str(folder))
    assert LEFT == []
