"""The generated reference: what it reads of YAML, types and docstrings; nothing is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PositiveInt

import sightline
from generate.commands_page import commands_page
from generate.config_file import read_config_file
from generate.config_page import config_page
from generate.docstrings import argument_meanings
from generate.markdown import cell, code
from generate.metrics_page import metrics_page
from generate.python_page import python_page
from generate.type_names import type_name
from sightline.commands import command_names, load_command
from sightline.metrics.registry import registry_of

YAML = """\
# About the file,
# in two lines.
defaults: [/data_common@_here_, _self_]
_target_: a.b
lr: 0.1  # the rate; so
         # continued
nested:
  inner: 3  # of the nested one
bare: null
"""


def test_comments_of_a_config_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(YAML)
    found = read_config_file(path)
    assert found.about == "About the file, in two lines."
    assert found.values == {"_target_": "a.b", "lr": 0.1, "nested": {"inner": 3}, "bare": None}
    assert found.meanings == {
        "lr": "the rate; so continued",
        "nested.inner": "of the nested one",
    }


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int | None, "integer, null"),
        (Literal["auto"] | bool, "auto, true, false"),
        (PositiveInt, "integer > 0"),
        (Annotated[float, Field(ge=0, lt=1)] | None, "number ≥ 0 < 1, null"),
        (list[tuple[int, str]], "list of: [integer, text]"),
        (dict[str, Any], "mapping"),
        (tuple[str, ...], "list of: text"),
        (None, ""),
    ],
)
def test_a_type_in_words(annotation: Any, words: str) -> None:
    assert type_name(annotation) == words


def test_meanings_of_arguments_are_their_first_sentences() -> None:
    def function() -> None:
        """What it does.

        Args:
            first: of the line. More.
            second, third: what both
                are, e.g. this. And not this.
            fourth (int, optional): typed
        """

    assert argument_meanings(function) == {
        "first": "of the line",
        "second": "what both are, e.g. this",
        "third": "what both are, e.g. this",
        "fourth": "typed",
    }


def test_text_in_a_cell_is_not_taken_for_markdown() -> None:
    assert cell("a|b <c> [d] `e_*` val_best *") == r"a\|b \<c\> \[d\] `e_*` val_best \*"
    assert code("A|B") == r"`A\|B`"


def test_every_key_of_the_config_has_a_meaning() -> None:
    lines = [line for line in config_page().splitlines() if line.startswith("| `")]
    assert len(lines) > 250
    assert [line for line in lines if line.endswith("|  |")] == []


def test_every_metric_has_a_formula_a_source_and_a_way_to_its_interval() -> None:
    page = metrics_page()
    for metric in registry_of().metrics:
        assert metric.formula, metric.name
        assert metric.source, metric.name
        assert metric.has_formula == bool(metric.interval_method), metric.name
        assert f"| `{metric.name}` |" in page


def test_every_command_and_option_is_in_the_reference() -> None:
    page = commands_page()
    for name in command_names():
        command = load_command(name)
        if command.section is not None:
            assert f"\n### {name}\n" in page
            for key in command.options.keys() if command.options else ():
                assert f"| `{key}=" in page, f"{name}: {key}"


def test_every_public_name_is_in_the_reference() -> None:
    page = python_page()
    for name in sightline.__all__:
        assert name.startswith("__") or f"\n## {name}\n" in page
