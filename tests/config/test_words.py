"""Overrides as people type them: they mean what was typed, or get one message."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from support.images import make_folder

from sightline.config.compose import compose_job
from sightline.config.explain import explain
from sightline.config.typed import as_typed
from sightline.config.words import quote_overrides, quoted
from sightline.errors import UserError
from sightline.paths import project_root
from sightline.runs.resume import resume_command, resumed_arguments


def value_of(word: str) -> object:
    """What Hydra reads of an override after quoting."""
    return OverridesParser.create().parse_override(word).value()


@pytest.mark.parametrize(
    "value",
    ["~/photos", "photos (1)", "été", "John's", "C#", "x=y", "a b'c\"d", "猫", "a[1]", "50%", "x:",
     "photos, old (2)", "a&b;c", "(new)", "C:\\photos", "~", "*.png"],
)  # fmt: skip
def test_any_path_means_what_was_typed(value: str) -> None:
    [word] = as_typed([f"data.root={value}"])
    assert value_of(word) == value
    assert as_typed([word]) == [word]


@pytest.mark.parametrize("value", ["a,b", "a,b,c d", " a", "a "])
def test_a_path_that_is_there_means_what_was_typed(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert as_typed([f"data.root={value}"]) == [f"data.root={value}"] or " d" in value
    (tmp_path / value).mkdir()
    [word] = as_typed([f"data.root={value}"])
    assert value_of(word) == value
    (tmp_path / "1").mkdir()
    assert as_typed(["seed=1", "-m", "model=cnn,timm"]) == ["seed=1", "-m", "model=cnn,timm"]


def test_a_path_that_reads_as_another_value_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("${oc.env:HOME}").mkdir()
    with pytest.raises(UserError, match=r"stands for another value.*Rename it"):
        quote_overrides(["data.root=${oc.env:HOME}"], lambda _: None)


def test_a_name_that_is_not_utf_8_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"The name in data\.root=/x/caf\\xe9 is not UTF-8"):
        as_typed([os.fsdecode(b"data.root=/x/caf\xe9")])
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    monkeypatch.chdir(folder)
    project_root.cache_clear()
    with pytest.raises(UserError, match=r"The project's folder .*/caf\\xe9 has a name"):
        project_root()


@pytest.mark.parametrize(
    ("data", "key", "value"),
    [
        ("folder", "data.root", "2024"), ("folder", "data.root", "007"),
        ("folder", "data.root", "1e3"), ("folder", "data.root", "true"),
        ("manifest", "data.label_column", "1"), ("digits", "tracking.experiment", "2024"),
        ("digits", "tracking.run_name", "1_000"),
        ("digits", "label_mode.positive_class", "1"),
        ("digits", "label_mode.positive_class", "1.0"),
    ],
)  # fmt: skip
def test_numbers_are_text_where_the_key_takes_text(data: str, key: str, value: str) -> None:
    *_, word = as_typed([f"data={data}", "label_mode=binary", f"{key}={value}"])
    assert value_of(word) == value


def test_lists_of_text() -> None:
    *_, word = as_typed(["data=npz", "data.class_names=[0, 1, cat]"])
    assert value_of(word) == ["0", "1", "cat"]


@pytest.mark.parametrize(
    "word",
    ["seed=1", "data.batch_size=16", "data.fold=0", "tracking.offline=true", "model.widths=[4,8]",
     "data.root=null", "label_mode=binary", "data.root='a b'", "data.root=${oc.env:HOME}",
     "seed=range(0,5)", "~tuning.hold", "+trainer.max_steps=5", "tracking.uri=sqlite:///a.db",
     "optimizer.lr=1e-3", "-m", "hydra.sweeper.n_trials=20"],
)  # fmt: skip
def test_what_hydra_reads_right_stays_as_it_is(word: str) -> None:
    assert as_typed([word]) == [word]


def test_values_of_a_sweep_stay_apart() -> None:
    _, word, seeds = as_typed(["-m", "data.root=été,b,c (1)", "seed=1,2"])
    assert word == "data.root='été',b,'c (1)'"
    assert seeds == "seed=1,2"
    *_, word = as_typed(["-m", "label_mode=binary", "label_mode.positive_class=1,cat"])
    assert word == "label_mode.positive_class='1',cat"


@pytest.mark.parametrize("word", ["optimizer=null", "data=", "model=True", "model=2"])
def test_a_group_without_an_option(word: str) -> None:
    group = word.partition("=")[0]
    with pytest.raises(UserError, match=f"{group} is a config group and needs one of its options"):
        as_typed([word])


def test_what_cannot_be_read_is_shown_in_quotes() -> None:
    from hydra.errors import HydraException

    word = "optimizer.lr=[1, (2"
    with pytest.raises(HydraException) as error:
        OverridesParser.create().parse_overrides([word])
    assert shlex.quote(f"optimizer.lr={quoted('[1, (2')}") in explain(error.value, [])


def test_a_colour_is_checked() -> None:
    with pytest.raises(UserError) as error:
        compose_job(["data.background=whit"])
    assert str(error.value) == (
        "data.background: expected a colour's name, such as white, or #rrggbb, but got 'whit'. "
        "Did you mean 'white' or 'wheat'?"
    )
    assert compose_job(["data.background='#aabbcc'"])[0].data_common.background == "#aabbcc"


def test_a_folder_with_quotes_composes_and_resumes(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "John's photos (1)", {"a": 1, "b": 1}, (4, 4))
    run = tmp_path / "it's a run"
    config, job = compose_job(["data=folder", f"data.root={folder}", f"hydra.run.dir={run}"])
    assert config.data["root"] == str(folder)
    assert job.output_dir == run
    again, resumed = compose_job(resumed_arguments(job, ["seed=3"]))
    assert resumed.output_dir == run
    assert again.data["root"] == str(folder)
    assert shlex.split(resume_command(run)) == ["sightline", "train", f"resume={run}"]
