"""Launches whose ranks would wait for ever, or train apart, are refused before anything is done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.commands import QUICK, Sightline

from sightline.cluster.launched import check_launched
from sightline.config.compose import compose_job
from sightline.config.trainer_words import check_trainer_words
from sightline.errors import UserError
from sightline.runs.resume import resumed_arguments
from sightline.sweeps.slots import make_slots

BATCH = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train.sh", "SLURM_NNODES": "2",
         "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1"}  # fmt: skip
SRUN = BATCH | {"SLURM_STEP_ID": "0", "SLURM_PROCID": "0"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
ONE = {"devices": 1, "accelerator": "cpu"}
TWO = {"devices": 1, "num_nodes": 2}
FOUR = {"devices": 2, "num_nodes": 2}


@pytest.mark.parametrize(("trainer", "environment"), [
    (ONE, {}), ({"devices": 2}, {}), (TWO, SRUN), (FOUR, TORCHRUN), (TWO | {"devices": [3]}, SRUN),
    ({"devices": "auto", "accelerator": "gpu", "num_nodes": 2}, TORCHRUN),
    ({"devices": "0,", "num_nodes": 2}, SRUN), (TWO, {"JSM_NAMESPACE_SIZE": "2"}),
    (ONE, BATCH | {"SLURM_JOB_NAME": "interactive"}), (ONE, SRUN | {"SLURM_JOB_NAME": "bash"}),
    (ONE, BATCH | {"SLURM_NTASKS": "1"}), (FOUR, SRUN | TORCHRUN),
    (ONE, SRUN | {"SLURM_NTASKS": "1", "SLURM_NNODES": "1"}),
])  # fmt: skip
def test_as_many_as_started(trainer: dict[str, object], environment: dict[str, str]) -> None:
    check_launched(trainer, environment)


@pytest.mark.parametrize(("trainer", "environment", "message"), [
    (TWO, {}, r"num_nodes=2: this command alone .* --nnodes=2"),
    (TWO, {"NODE_RANK": "1", "MASTER_ADDR": "n1"}, "this command alone"),
    (TWO, BATCH, r"The Slurm job has 2 tasks, .* Put srun before it"),
    (ONE, SRUN, r"srun started 2 processes on 2 machines, .* are for 1 process on 1 machine\. Give "
                r"trainer=ddp trainer.devices=1 trainer.num_nodes=2"),
    (FOUR, SRUN, "are for 4 processes on 2 machines"),
    ({"devices": 2}, SRUN, "are for 2 processes on 1 machine"),
    ({"devices": "auto", "accelerator": "gpu"}, TORCHRUN, "trainer.num_nodes=2"),
    (ONE, TORCHRUN, r"torchrun started 4 processes on 2 machines.* trainer.devices=2"),
    (TWO, {k: v for k, v in SRUN.items() if "PER_NODE" not in k}, "--ntasks-per-node=1 in place"),
])  # fmt: skip
def test_another_number_is_refused(
    trainer: dict[str, object], environment: dict[str, str], message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with pytest.raises(UserError, match=message):
        check_launched(trainer, environment)
    monkeypatch.setenv("RANK", "1")  # rank 0 says it
    with pytest.raises(SystemExit):
        check_launched(trainer, environment)


@pytest.mark.parametrize("nodes", [0, "two", True, 1.5])
def test_a_number_of_machines_is_a_number(nodes: object) -> None:
    with pytest.raises(UserError, match=f"num_nodes={nodes}: expected how many machines"):
        check_trainer_words({"_target_": "pytorch_lightning.Trainer", "num_nodes": nodes})


def test_the_command_and_a_sweep_on_this_machine_are_refused(sightline: Sightline) -> None:
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=2"]
    done = sightline("train", *QUICK, *two)
    assert done.status == 1
    assert "this command alone starts no process on another machine" in done.err
    config, job = compose_job(two)
    with pytest.raises(UserError, match="hydra/launcher=slurm"):
        make_slots(1, [config])
    # A run of before that added the key resumes.
    words = resumed_arguments(replace(job, arguments=["trainer=ddp", "+trainer.num_nodes=2"]), [])
    assert compose_job(words)[0].trainer["num_nodes"] == 2
