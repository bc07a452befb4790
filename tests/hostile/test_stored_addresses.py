"""Addresses of data in a stranger's config: contacted only where this user's commands name them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from huggingface_hub import constants
from omegaconf import OmegaConf

from sightline import __version__
from sightline.comparison import differing_models
from sightline.config.compose import compose_job
from sightline.config.job_words import ADDRESSES, job_words
from sightline.config.schema import Job, TrainConfig
from sightline.data.known_addresses import FILE, check_addresses, remember_addresses
from sightline.errors import UserError
from sightline.evaluation import run_export
from sightline.evaluation import samples as evaluation_samples
from sightline.evaluation.samples import own_samples
from sightline.paths import cache_dir
from sightline.runs.folder import RunFolder
from sightline.runs.frozen import Frozen, write_frozen
from sightline.sweeps.relaunch import _frozen_job
from sightline.sweeps.search.plan import _check_trust
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.training import early_checks
from sightline.training import job as training_job
from sightline.training.early_checks import check_early
from sightline.training.rerun import _config_of
from sightline.training.resumption import with_folder_to_resume

HUB = ["data=huggingface", "data.name=evil/set"]
SHARDS = ["data=webdataset", "data.class_names=[a,b]", "data.train=https://evil.example/a.tar",
          "data.val=[x.tar,'http:{//evil,//e}/b.tar']", "data.test=x.tar"]  # fmt: skip
URI = "sqlite:///x.db"


class Contacted(Exception):
    """The data would be read here."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", URI)


def stored(folder: Path, words: Sequence[str]) -> tuple[TrainConfig, Job]:
    """A run's folder as a stranger may have sent it."""
    arguments = [*words, f"tracking.uri={URI}", f"hydra.run.dir={folder}"]
    config, job = compose_job(arguments)
    job = Job(folder, job.choices, [], None, "", arguments)
    (folder / "config").mkdir(parents=True)
    write_frozen(folder / "run.json", Frozen(config, job, __version__, {}))
    values = config.model_dump(mode="json")
    (folder / "config/config.yaml").write_text(yaml.safe_dump(values))
    return config, job


def reach(*_: Any, **__: Any) -> Any:
    raise Contacted


Command = Callable[[Path, TrainConfig, list[str]], object]
COMMANDS: dict[str, Command] = {
    "evaluate": lambda _, config, words: own_samples(
        config, None, "val", [word.partition("=")[2] for word in words]  # type: ignore[arg-type]
    ),
    "reproduce": lambda folder, _, words: reach(_config_of(
        StoredRun("1", None, None, None, "r", "FINISHED", {}, {}, {}, str(folder)), URI, words
    )),
    "resume": lambda folder, _, words: reach(with_folder_to_resume([f"resume={folder}", *words])),
    "job": lambda folder, config, words: training_job.run_frozen(
        folder, job_words([config]) if words else []
    ),
    "sweep": lambda folder, config, words: reach(_frozen_job(
        folder.parent, folder.name, config.tracking, [],
        [compose_job([*HUB, *words])[0]] if words else [],
    )),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stored_address_is_used_where_the_user_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(training_job, "run_job", reach)
    monkeypatch.setattr(evaluation_samples, "read_source", reach)
    config, _ = stored(tmp_path / "run", HUB)
    run = COMMANDS[command]
    with pytest.raises(UserError, match=r"data\.name=evil/set.* add data\.name=evil/set to this"):
        run(tmp_path / "run", config, [])
    with pytest.raises(Contacted):  # this command names it
        run(tmp_path / "run", config, ["data.name=evil/set"])
    remember_addresses(config.data)
    with pytest.raises(Contacted):  # an earlier one did, such as the user's own training
        run(tmp_path / "run", config, [])


def test_every_remote_shard_is_one(tmp_path: Path) -> None:
    config, _ = compose_job(SHARDS)
    with pytest.raises(UserError, match=r"add data\.train=https\S+ data\.val=http\S+ to this"):
        check_addresses(config.data, "it")
    with pytest.raises(UserError, match=r"names data\.val=http:"):
        check_addresses(config.data, "it", ["https://evil.example/a.tar"])
    local = config.data | {"train": "/data/{00..10}.tar", "val": "a:b.tar"}
    check_addresses(local, "it")
    assert job_words([config]) == [ADDRESSES]
    assert job_words([compose_job([])[0]]) == []


def test_what_a_command_names_is_remembered_as_a_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = "https://user:hunter2@data.example/a.tar"
    config, _ = compose_job([*SHARDS[:2], f"data.train={url}", "data.val=x.tar", "data.test=x.tar"])
    monkeypatch.setattr(early_checks, "_check", lambda _: None)
    check_early(config, config)
    check_addresses(config.data, "it")
    check_addresses(config.data | {"train": "https://***@data.example/a.tar"}, "as it is kept")
    text = (cache_dir() / FILE).read_text()
    assert len(text.split()) == 2
    assert "data.example" not in text
    monkeypatch.setenv("SIGHTLINE_CACHE", "/dev/null/cache")
    with caplog.at_level(logging.WARNING):
        check_early(config)  # trains all the same
    assert "cannot be written" in caplog.text


def test_a_data_set_that_the_hubs_cache_has_was_named_before(tmp_path: Path) -> None:
    config, _ = compose_job(HUB)
    (tmp_path / "hub/datasets--evil--set").mkdir(parents=True)
    check_addresses(config.data, "it")
    with pytest.raises(UserError, match="evil/se "):
        check_addresses(config.data | {"name": "evil/se "}, "it")


@pytest.mark.parametrize(("words", "named", "contacted"), [
    ([], [], False),
    ([], ["data.name=other/set"], False),
    (["data.name=evil/set"], [], True),
    ([], ["data.name=evil/set"], True),
    (None, [], True),  # at its launch the words are the user's own
])  # fmt: skip
def test_a_search_that_goes_on_contacts_what_its_command_names(
    tmp_path: Path, words: list[str] | None, named: list[str], contacted: bool
) -> None:
    sample = compose_job(HUB)[0]
    data = compose_job([HUB[0], *named])[0].data if named else {}
    config = OmegaConf.create({"plugins": [], "data": data})
    if not contacted:
        with pytest.raises(UserError, match=r"names data\.name=evil/set.* add data\.name="):
            _check_trust(sample, config, words, tmp_path)
        remember_addresses(sample.data)
    _check_trust(sample, config, words, tmp_path)


def test_an_export_and_a_soup_read_no_data_of_an_address_that_a_checkpoint_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = compose_job(HUB)
    described = SimpleNamespace(config=config.model_dump(mode="json", exclude={"tracking"}))
    monkeypatch.setattr(run_export, "read_checkpoint", lambda _: {"sightline": described})
    monkeypatch.setattr(run_export, "read_source", reach)
    assert run_export.own_splits(tmp_path / "x.ckpt", ()) is None
    remember_addresses(config.data)
    with pytest.raises(Contacted):
        run_export.own_splits(tmp_path / "x.ckpt", ())


def test_compare_leaves_the_images_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(tmp_path / "run", HUB)
    monkeypatch.setattr(differing_models, "read_source", reach)
    run = StoredRun("1", None, None, RunFolder(tmp_path / "run"), "r", "FINISHED", {}, {}, {}, "")
    _, note = differing_models._images([run], "val")
    assert "add data.name=evil/set" in note
