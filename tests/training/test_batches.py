"""Batch size by trying, scaled learning rates and running out of memory."""

from __future__ import annotations

import logging
import math

import pytest
import torch
from support.configs import changed_config

from sightline.config.decided import ACCUMULATED, BATCH_SIZE, LR
from sightline.config.influence import group_digest, influences
from sightline.config.open_batch import as_decided, without_idle_size
from sightline.config.schema import TrainConfig
from sightline.errors import UserError
from sightline.training import batches, memory
from sightline.training.batches import check_open, decide, divisors, largest
from sightline.training.memory import (
    advice,
    free_bytes,
    needed_bytes,
    out_of_memory_named,
    used_bytes,
)
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import set_up

CPU = torch.device("cpu")
AUTO = ("data.batch_size=auto", "data.effective_batch_size=96")


def linear(base: int, each: int, tried: list[int], there: int = 10**9) -> object:
    """A device whose batches need `base` and `each` bytes an image, of `there`."""

    def needed(size: int) -> int | None:
        tried.append(size)
        taken = base + each * size
        return taken if taken <= there else None

    return needed


def test_sizes_are_whole_parts_of_a_step() -> None:
    assert divisors(96) == [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96]
    assert divisors(96, 30) == [2, 3, 4, 6, 8, 12, 16, 24]
    assert divisors(97, 30) == [30]
    assert divisors(1) == [1]


@pytest.mark.parametrize("limit", [109, 150, 259, 260, 500, 899, 900, 1059])
@pytest.mark.parametrize("base", [0, 50, 100])
def test_the_largest_that_fits_is_found(limit: int, base: int) -> None:
    sizes, tried = divisors(96), []
    expected = max(size for size in sizes if base + 4 * size <= limit)
    found, _ = largest(sizes, linear(base, 4, tried), limit)  # type: ignore[arg-type]
    assert found == expected
    # What would not fit is not tried, once two sizes say so: it would end this process.
    fitted = [size for size in tried if base + 4 * size <= limit]
    later = tried[tried.index(fitted[1]) :] if len(fitted) > 1 else []
    assert all(size in fitted for size in later)


def test_a_device_that_runs_out_says_the_same() -> None:
    tried: list[int] = []
    assert largest(divisors(96), linear(0, 10, tried), 10**6)[0] == 96  # type: ignore[arg-type]
    assert tried == [2, 4, 8, 16]  # these say that the rest fits by far
    tried.clear()
    assert largest(divisors(96), linear(0, 10, tried, there=45), 1000)[0] == 4  # type: ignore[arg-type]
    assert tried == [2, 4, 8, 6]


def test_where_nothing_fits_one_message_says_what_to_try() -> None:
    with pytest.raises(UserError, match=r"not even 2 images a batch fits into the 0\.00 GiB"):
        largest(divisors(96), lambda size: None, 10)


def test_what_was_decided_stays_when_a_run_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    config = changed_config(*AUTO, "optimizer.lr_scaling=linear", "optimizer.lr=0.1")
    found = decide(config, {}, 1, range(1000), CPU, 0, lambda size: None)
    assert found == {BATCH_SIZE: "96", ACCUMULATED: "1", LR: repr(0.1 * 96 / 256)}

    def tried(size: int) -> None:
        raise AssertionError("tried again")

    before = {BATCH_SIZE: "24", ACCUMULATED: "4", LR: "0.0375"}
    assert decide(config, before, 1, range(1000), CPU, 0, tried) == before
    used = as_decided(config, before)
    assert (used.data["batch_size"], used.trainer["accumulate_grad_batches"]) == (24, 4)
    assert used.optimizer["lr"] == 0.0375
    assert as_decided(used, {BATCH_SIZE: "8", ACCUMULATED: "9", LR: "9"}) == used


def test_memory_decides_and_the_step_is_held(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(batches, "free_bytes", lambda device: 1000)
    monkeypatch.setattr(batches, "needed_bytes", lambda run, device, before: run())
    config = changed_config(*AUTO)
    with caplog.at_level(logging.INFO):
        found = decide(config, {}, 1, None, CPU, 200, lambda size: 30 * size)
    assert found == {BATCH_SIZE: "24", ACCUMULATED: "4"}  # 720 bytes of 0.9 × (1,000 - 200)
    assert "4 batches a step: 96 images" in caplog.text
    with caplog.at_level(logging.INFO):
        decide(config, {}, 1, None, CPU, 0, lambda size: size)
    assert "bounded by data.effective_batch_size" in caplog.text


@pytest.mark.parametrize(
    ("scaling", "world", "times"), [("linear", 2, 96 * 2 / 128), ("sqrt", 1, math.sqrt(96 / 128))]
)
def test_learning_rates_follow_the_images_of_a_step(
    scaling: str, world: int, times: float, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["data.batch_size=32", "trainer.accumulate_grad_batches=3", "optimizer.lr=0.01",
             f"optimizer.lr_scaling={scaling}", "optimizer.lr_base_size=128"]  # fmt: skip
    config = changed_config(*words)
    with caplog.at_level(logging.INFO):
        found = decide(config, {}, world, range(500), CPU, 0, lambda size: None)
    used = as_decided(config, found)
    assert used.optimizer["lr"] == pytest.approx(0.01 * times)
    assert f"{96 * world} / 128, the images of a step" in caplog.text


def test_runs_are_grouped_by_what_was_decided() -> None:
    def digest(config: TrainConfig, params: dict[str, str]) -> str:
        plain = without_idle_size(config).model_dump(mode="json")
        return group_digest(influences(plain, params))

    scaled = changed_config(*AUTO, "optimizer.lr_scaling=linear", "optimizer.lr=0.1")
    params = {BATCH_SIZE: "24", ACCUMULATED: "4", LR: "0.0375"}
    same = ["data.batch_size=24", "trainer.accumulate_grad_batches=4", "optimizer.lr=0.0375"]
    assert digest(scaled, params) == digest(changed_config(*same), {})
    assert digest(scaled, params) != digest(scaled, params | {BATCH_SIZE: "12", ACCUMULATED: "8"})
    assert digest(changed_config("lr_finder=true"), {}) == digest(changed_config(), {})


@pytest.mark.parametrize("key", ["data.batch_size=auto", "lr_finder=true"])
def test_several_processes_try_nothing(key: str) -> None:
    with pytest.raises(UserError, match=f"{key}: it is tried in one process, and 2 train here"):
        check_open(changed_config(key), 2)


def test_running_out_names_the_batch_size_to_try() -> None:
    config = changed_config("data.batch_size=48", "trainer.accumulate_grad_batches=2")
    with (
        pytest.raises(UserError, match=r"Out of memory with data\.batch_size=48") as raised,
        out_of_memory_named(config),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")
    assert "Try data.batch_size=24 trainer.accumulate_grad_batches=4" in str(raised.value)
    assert "data.batch_size=auto data.effective_batch_size=96" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "hardly possible" in advice(changed_config("data.batch_size=2"))
    with pytest.raises(RuntimeError, match="another"), out_of_memory_named(config):
        raise RuntimeError("another")


def test_a_real_allocation_that_fails_is_recognised() -> None:
    assert needed_bytes(lambda: torch.empty(2**60, dtype=torch.uint8), CPU, 0) is None
    with pytest.raises(UserError, match="Out of memory"), out_of_memory_named(changed_config()):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(ZeroDivisionError):
        needed_bytes(lambda: 1 / 0, CPU, 0)


def test_the_peak_of_a_call_is_measured() -> None:
    taken = needed_bytes(lambda: torch.ones(2**26, dtype=torch.uint8).max(), CPU, used_bytes(CPU))
    assert taken is not None
    assert 2**25 < taken < 2**27


def test_a_container_bounds_what_is_free(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    groups = Path(str(tmp_path))
    monkeypatch.setattr(memory, "GROUPS", groups)
    (groups / "memory.max").write_text("5000\n")
    (groups / "memory.current").write_text("1000\n")
    assert free_bytes(CPU) == 4000
    (groups / "memory.max").write_text("max\n")
    assert free_bytes(CPU) > 10**6


def test_a_training_is_set_up_with_what_fits() -> None:
    config = changed_config("data.batch_size=auto", "trainer=cpu", "data.effective_batch_size=32")
    quiet_libraries()
    torch.manual_seed(3)
    plain = set_up(as_decided(config, {BATCH_SIZE: "32", ACCUMULATED: "1"}))
    torch.manual_seed(3)
    found = set_up(config)
    assert found.decided == {BATCH_SIZE: "32", ACCUMULATED: "1"}
    assert found.module.identity["config"]["data"]["batch_size"] == 32
    state = plain.module.state_dict()
    assert all(torch.equal(state[k], v) for k, v in found.module.state_dict().items())
