"""The rows of the soak: every option has one."""

from __future__ import annotations

from support.soak_phases import PHASES, place_of
from support.soak_rows import OF_A_PLACE, rows

from sightline.config.compose import compose_job
from sightline.paths import conf_dir


def test_every_option_of_a_training_has_a_row() -> None:
    names = [row.name for row in rows()]
    assert len(names) == len(set(names))
    chosen = [path for path in conf_dir().glob("*/*.yaml") if path.parent.name not in OF_A_PLACE]
    options = {f"{path.parent.name}={path.stem}" for path in chosen}
    assert options <= set(names)
    assert {"method=sam", "scheduler=wsd", "data.cache=disk", "two ranks"} <= set(names)


def test_every_phase_is_a_function_that_there_is() -> None:
    assert len(PHASES) == 12
    for phase in PHASES:
        owner, name = place_of(phase)
        assert callable(getattr(owner, name)), phase


def test_rows_with_a_model_of_timm_are_configs_that_there_are() -> None:
    """One that is refused is not run, and the soak goes on."""
    found = [row for row in rows() if "model=timm" in row.words]
    assert len(found) >= 6
    for row in found:
        compose_job(list(row.words))
