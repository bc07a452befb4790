"""The fastest golden case; `make golden` runs them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.recorded import MARKS, golden

pytestmark = MARKS


def test_the_fastest_case_is_as_recorded(tmp_path: Path) -> None:
    recorded = golden.read_golden("multiclass_cnn")
    reached = golden.run_case("multiclass_cnn", tmp_path)
    if recorded["versions"] == golden.versions():
        assert golden.differences(recorded["reached"], reached) == []
        return
    # Other versions of libraries round otherwise.
    for then, now in zip(recorded["reached"]["losses"], reached["losses"], strict=True):
        assert now == pytest.approx(then, rel=1e-3)
