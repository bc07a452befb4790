"""`sightline train --help`: pages that are generated from the config files."""

from __future__ import annotations

import pytest
import yaml

from sightline.config.help_page import MAIN, help_page
from sightline.config.key_docs import key_docs
from sightline.config.search_path import list_groups
from sightline.errors import UserError
from sightline.paths import conf_dir


def test_the_first_page_fits_and_names_groups_and_the_main_keys() -> None:
    page = help_page([], None)
    assert max(map(len, page.splitlines())) <= 80
    assert [key for key in MAIN if f"\n  {key}=" not in page] == []
    assert [group for group in list_groups([]) if group not in page] == []


@pytest.mark.parametrize("group", ["data", "model", "optimizer", "trainer", "tracking"])
def test_a_groups_page_has_its_options_and_every_key_of_their_files(group: str) -> None:
    page = help_page([], group)
    for path in (conf_dir() / group).glob("*.yaml"):
        assert f"\n  {path.stem} " in page or f"\n  {path.stem}\n" in page
        for key in yaml.safe_load(path.read_text()).keys() - {"defaults", "_target_"}:
            assert f"\n  {group}.{key}" in page, (path, key)


def test_a_key_has_its_value_and_its_whole_comment() -> None:
    page = " ".join(help_page([], "data.geometry").split())
    assert page.startswith("data.geometry=auto of images that are not square: crop (the middle)")
    assert page.endswith("null: that of the weights, else crop")
    assert "early_stopping.min_delta=0.0" in help_page([], "early_stopping")
    with pytest.raises(UserError, match=r"Did you mean 'data.geometry'"):
        help_page([], "data.geometri")


def test_values_are_those_that_yaml_reads() -> None:
    read = yaml.safe_load((conf_dir() / "train.yaml").read_text())
    docs = {doc.key: doc.value for doc in key_docs([]) if not doc.options}
    for key in ("seed", "monitor", "evaluate_test"):
        assert str(read[key]) == docs[key]
