"""The environment of recorded results, in which several modules of tests compare with theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.forked import ForkServer, forking_from, serving
from support.scripts import load_script

golden = load_script("tests/golden/golden.py", "golden_results")

# One server with this environment serves the tests of all these modules.
MARKS = [pytest.mark.xdist_group("recorded"), pytest.mark.usefixtures("recorded_environment")]


def _set(patch: pytest.MonkeyPatch) -> None:
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in golden.ENVIRONMENT.items():
        patch.setenv(name, value)


@pytest.fixture(scope="session")
def recorded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with pytest.MonkeyPatch.context() as patch:
        _set(patch)
        with serving(tmp_path_factory.mktemp("forkserver") / "output.txt") as server:
            patch.undo()
            yield server


@pytest.fixture
def recorded_environment(
    recorded_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """One thread and the instructions of the processor that the results were made with."""
    _set(monkeypatch)
    with forking_from(recorded_server):
        yield
