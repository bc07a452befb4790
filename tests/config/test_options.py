"""Options of a command, and the runs that they name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import pytest
from mlflow import MlflowClient
from pydantic import Field
from support.commands import QUICK, Sightline

from sightline.config.options import Options, flag, positional, read_options
from sightline.config.usage import usage_text
from sightline.errors import UserError
from sightline.tracking.mlflow.stored_run import find_checkpoint_file, find_stored_run


class Example(Options):
    """For the tests."""

    run: str
    slices: list[str] = Field(default=[])
    overwrite: bool = False
    uri: str | None = Field(None, alias="tracking.uri")


def test_options_are_typed_and_overrides_kept() -> None:
    words = ["run=abc", "slices=[a,b]", "overwrite=true", "data.root=x", "tracking.uri=http://h:1"]
    options = read_options(words, Example, "usage", "overrides")
    assert options.run == "abc"
    assert options.slices == ["a", "b"]
    assert options.overwrite is True
    assert options.uri == "http://h:1"
    assert options.overrides == ["data.root=x"]
    assert options.words == words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["overwrite=true"], r"give run=\.\.\."),
        (["run=a", "overwrit=true"], "Unknown option 'overwrit'. Did you mean 'overwrite'?"),
        (["run=a", "overwrite=maybe"], "overwrite: expected a valid boolean"),
        (["run=a", "slices=[a"], r"slices=\[a: this list is not closed"),
    ],
)
def test_wrong_options_are_named(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_options(words, Example, "usage")


def test_a_word_without_a_value_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(["verbose"], Example, "usage: example")
    assert ended.value.code == 2
    assert "usage: example" in capsys.readouterr().err


def test_a_run_is_found_by_id_uri_folder_and_file(sightline: Sightline) -> None:
    done = sightline("train", *QUICK)
    assert done.status == 0, done.err
    run_id, folder = done.run.info.run_id, done.folder
    for wanted in (run_id, f"runs:/{run_id}", f"runs:/{run_id}/model", str(folder)):
        found = find_stored_run(wanted, done.store)
        assert (found.run_id, found.folder, found.status) == (run_id, folder, "FINISHED")
        assert found.params["label_mode"] == "multiclass"
        assert find_checkpoint_file(wanted, done.store)[0] == folder / "checkpoints" / "best.ckpt"
    path, run = find_checkpoint_file(str(folder / "checkpoints" / "last.ckpt"), done.store)
    assert path.name == "last.ckpt"
    assert run is not None
    assert run.run_id == run_id
    gone = folder.with_name("gone")
    shutil.move(folder, gone)
    elsewhere = find_stored_run(run_id, done.store)  # as from another machine
    assert elsewhere.folder is None
    assert (
        elsewhere.file("predictions/test.parquet").read_bytes()
        == (gone / "predictions" / "test.parquet").read_bytes()
    )
    with pytest.raises(UserError, match="has no artifact predictions/none"):
        elsewhere.file("predictions/none.parquet")


def test_what_is_no_run_is_said(tmp_path: Path, store: str) -> None:
    MlflowClient(store).search_experiments()  # makes it
    with pytest.raises(UserError, match="no such folder or file"):
        find_stored_run("0123456789abcdef0123456789abcdef", store)
    with pytest.raises(UserError, match="holds no run of Sightline"):
        find_stored_run(str(tmp_path), store)
    with pytest.raises(UserError, match=r"There is no checkpoint .*missing\.ckpt"):
        find_checkpoint_file(str(tmp_path / "missing.ckpt"), store)
    with pytest.raises(UserError, match="There is no MLflow store"):
        find_stored_run("0123", f"sqlite:///{tmp_path}/none.db")


class Forms(Options):
    """A field of each form."""

    action: Literal["list", "clear"] | None = positional("an action")
    names: tuple[str, ...] = positional("names", default=())
    again: bool = flag("once more")
    port: int = flag("a port", default=5000, metavar="PORT")
    uri: str | None = Field(None, alias="tracking.uri", description="an address")


def test_flags_and_positional_words_are_fields() -> None:
    options = read_options(
        ["--again", "tracking.uri=x", "--port", "5001", "clear", "a", "b"], Forms, "usage"
    )
    assert (options.action, options.names) == ("clear", ("a", "b"))
    assert (options.again, options.port, options.uri) == (True, 5001, "x")
    assert read_options([], Forms, "usage") == Forms.model_validate({})
    assert read_options(["--port=5002"], Forms, "usage").port == 5002


@pytest.mark.parametrize("words", [["--agin"], ["forget"], ["--again=yes"], ["-x"]])
def test_words_that_cannot_be_read_are_usage_errors(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_options(words, Forms, "usage")


def test_a_flag_without_its_value_is_an_error() -> None:
    with pytest.raises(UserError, match="--port: give a port"):
        read_options(["--port"], Forms, "usage")


def test_a_folder_may_look_like_key_and_value() -> None:
    class Folder(Options):
        folder: str | None = positional("a folder")

    assert read_options(["runs/model=cnn"], Folder, "usage").folder == "runs/model=cnn"


def test_any_words_are_passed_on_beside_the_options() -> None:
    options = read_options(["-x", "~a.b", "--again", "c=d"], Forms, "usage", "anything")
    assert options.again
    assert options.overrides == ["-x", "~a.b", "c=d"]


def test_the_usage_text_names_each_option_with_its_help_and_default() -> None:
    text = usage_text("example", Forms, "A text.\n\nAnother.", {"sightline example": "all"}, {})
    assert (
        text
        == """\
usage: sightline example [--again] [--port PORT] [list|clear] [NAMES ...] [KEY=VALUE ...]

A text.

Another.

examples:
  sightline example  all

options:
  list|clear                an action
  NAMES ...                 names
  --again                   once more
  --port PORT               a port (default: 5000)
  tracking.uri=URI          an address
"""
    )
