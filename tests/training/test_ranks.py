"""Several processes of one training: one folder, one run, and what one process would measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.commands import ONE_THREAD, QUICK, client_of, finish
from support.two_ranks import MODES, evaluate, outputs

from sightline.predictions import Predictions

pytestmark = pytest.mark.xdist_group("ranks")  # what is evaluated once serves all
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
SCRIPT = Path(__file__).parent.parent / "support" / "two_ranks.py"


def launch(folder: Path, *command: str) -> str:
    inherited = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    process = subprocess.Popen(
        command, cwd=folder, env=inherited | ONE_THREAD, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    code, out, err = finish(process)
    assert code == 0, err
    return out


@pytest.mark.usefixtures("ready_store")
def test_torchruns_processes_are_one_run(tmp_path: Path) -> None:
    out = launch(
        tmp_path, *TORCHRUN, "-m", "sightline.cli", "train", *QUICK, "report=none", "trainer=ddp",
        "trainer.accelerator=cpu", "trainer.devices=2",
    )  # fmt: skip
    [run] = client_of(tmp_path).search_runs(["1"])
    assert run.info.status == "FINISHED"
    [folder] = tmp_path.glob("runs/*/*")
    assert run.data.tags["run_folder"] == str(folder)
    assert out.count("epoch 1/1") == out.count("MLflow run:") == 1
    assert (folder / "train.log").read_text().count("epoch 1/1") == 1
    assert len(Predictions.read(folder / "predictions" / "test.parquet")) == 359


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """What one process and two say of 1,001 samples."""
    folders = {ranks: tmp_path_factory.mktemp(f"ranks{ranks}") for ranks in (1, 2)}
    for mode in MODES:
        evaluate(folders[1], mode, devices=1)
    launch(folders[2], *TORCHRUN, str(SCRIPT), str(folders[2]), "2")
    return folders


@pytest.mark.parametrize("mode", MODES)
def test_two_ranks_measure_what_one_does(evaluated: dict[int, Path], mode: str) -> None:
    one, two = (Predictions.read(evaluated[n] / f"{mode}.parquet") for n in (1, 2))
    assert len(one) == len(set(one.ids)) == 1001
    np.testing.assert_array_equal(one.ids, two.ids)
    np.testing.assert_array_equal(one.targets, two.targets)
    np.testing.assert_allclose(one.probs, two.probs, atol=1e-6)
    facts = [json.loads((evaluated[n] / f"{mode}.json").read_text()) for n in (1, 2)]
    assert facts[0]["matrices"] == facts[1]["matrices"]
    assert sum(map(sum, facts[0]["matrices"][0])) == 1001
    assert facts[0]["metrics"] == pytest.approx(facts[1]["metrics"], abs=1e-6)
    assert len(facts[0]["metrics"]) > 5


@pytest.mark.parametrize("mode", MODES)
def test_the_training_loss_of_two_ranks_is_that_of_all_samples(
    evaluated: dict[int, Path], mode: str
) -> None:
    kind, criterion, logits, target = outputs(mode)
    expected = float(criterion(*kind.loss_inputs(logits, target)))
    for ranks in (1, 2):
        found = json.loads((evaluated[ranks] / f"{mode}_loss.json").read_text())
        assert found == pytest.approx(expected, rel=1e-6)


def test_ranks_with_other_configs_are_refused(evaluated: dict[int, Path]) -> None:
    for rank in (0, 1):
        said = (evaluated[2] / f"refused{rank}").read_text()
        assert said == "The processes 0 and 1 have different configs: seed: 0 and 1."
    assert not (evaluated[1] / "refused0").exists()
