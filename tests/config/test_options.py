"""Options of a command, read from words, and the usage text made from them."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from sightline.config.options import Options, flag, positional, read_options
from sightline.config.usage import usage_text
from sightline.errors import UserError


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
usage: sightline example [--again] [--port PORT] [list|clear] [NAMES ...]
[KEY=VALUE ...]

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
