"""Addresses of stores in files: which of them get the credentials of the environment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sightline.errors import UserError
from sightline.io.secrets import credentials_for_children
from sightline.io.sqlite import has_run
from sightline.io.stored_address import check_address, stored_address
from sightline.paths import project_root
from sightline.tracking.mlflow.client import open_client
from sightline.tracking.mlflow.databases import open_sqlite
from sightline.tracking.mlflow.http_artifacts import LongUploadRepository

OWN = "https://Mlflow.lab:443/team/"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", OWN)


@pytest.mark.parametrize("uri", [
    None, "https://mlflow.lab/team", "https://MLFLOW.lab:443/team/a/b",
    "https://***@mlflow.lab/team", "https://mlflow.lab//team",
])  # fmt: skip
def test_addresses_that_the_user_names_or_that_get_nothing(uri: str | None) -> None:
    check_address(uri, "run")


@pytest.mark.parametrize("uri", [
    "https://evil.lab/team", "http://mlflow.lab/team", "https://mlflow.lab:444/team",
    "https://mlflow.lab/stranger", "https://mlflow.lab/teams", "https://mlflow.lab/team/../evil",
    "https://mlflow.lab/team/%2e%2e/evil", "https://mlflow.lab@evil.lab/team",
    "https://evil.lab\\@mlflow.lab/team", "https://evil.lab/?x=https://mlflow.lab/team",
    "https://mlflow.lab.evil.lab/team", "https://evil.lab#@mlflow.lab/team",
    "postgresql://db.evil.lab/x", "postgresql+psycopg:///x?host=evil.lab", "mysql://evil.lab/x",
])  # fmt: skip
def test_addresses_that_only_a_file_names(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_PWD", "hunter2")
    with pytest.raises(UserError, match=r"evil|mlflow\.lab") as refusal:
        check_address(uri, "run")
    assert OWN in str(refusal.value)
    assert "t0ken" not in str(refusal.value)
    check_address(uri if "\\" not in uri else None, "run", uri)  # this command names it


def test_without_credentials_any_address_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    assert stored_address("http://***@evil.lab", "run") == "http://evil.lab"
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow/credentials").write_text("[mlflow]\nmlflow_tracking_password = x\n")
    with pytest.raises(UserError, match=r"would get .*\.mlflow/credentials"):
        stored_address("http://***@evil.lab", "run")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(UserError, match=r"you name is none \(MLFLOW_TRACKING_URI is not set\)"):
        stored_address("http://***@evil.lab", "run")


def test_a_child_of_the_users_command_gets_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    for name, value in credentials_for_children("http://u:p@lab.org").items():
        monkeypatch.setenv(name, value)
    assert stored_address("http://***@lab.org", "run") == "http://lab.org"


def test_files_of_a_store_that_somebody_made() -> None:
    """The place of a run's files in a SQLite store can be any address; MLflow sends the token."""
    files = "https://evil.lab/api/2.0/mlflow-artifacts/artifacts/1"
    with pytest.raises(UserError, match=r"sqlite:///x names the store https://evil\.lab/api"):
        LongUploadRepository(files, "sqlite:///x")
    LongUploadRepository(files, "https://mlflow.lab/team")  # which has the token
    LongUploadRepository(files.replace("evil.lab", "mlflow.lab/team"), "sqlite:///x")


@pytest.mark.parametrize(("place", "taken"), [
    ("{here}/mlflow.db", True), ("{here}/stores/x.db", True), ("{runs}/mlflow.db", True),
    ("{here}/../other/mlflow.db", False), ("{here}/link/x.db", False),
    ("file:{here}/x.db?uri=true", False), ("{here}/x.db?mode=rwc", False),
])  # fmt: skip
@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_a_database_outside_the_project(
    place: str, taken: bool, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow migrates what it opens, and adds its tables to any database."""
    here, runs, other = (tmp_path / name for name in ("here", "strangers/runs", "other"))
    for folder in (here, runs / "a", other):
        folder.mkdir(parents=True)
    for marker in (here / "pyproject.toml", runs / "mlflow.db"):
        marker.touch()
    (here / "link").symlink_to(other)
    monkeypatch.chdir(here)
    project_root.cache_clear()
    uri = f"{scheme}:///{place.format(here=here, runs=runs)}"
    if taken:
        check_address(uri, runs / "a")
    else:
        with pytest.raises(UserError, match="is a database outside this project and the run's"):
            check_address(uri, runs / "a")
        check_address(uri, runs / "a", uri)  # this command names it
        for name, value in credentials_for_children(uri).items():
            monkeypatch.setenv(name, value)
        check_address(uri, runs / "a")  # a child of such a command
    monkeypatch.undo()
    project_root.cache_clear()


def test_a_database_that_has_the_run(tmp_path: Path) -> None:
    """It was logged there by whoever can name its id: the database is as good as named."""
    database = tmp_path / "a ? b #.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE runs (run_uuid TEXT)")
        connection.execute("INSERT INTO runs VALUES ('0af')")
    assert has_run(database, "0af")
    assert not has_run(database, "0ae")
    assert not has_run(tmp_path / "none.db", "0af")
    assert not (tmp_path / "none.db").exists()
    database = database.rename(tmp_path / "x.db")
    check_address(f"sqlite:///{database}", "run", run_id="0af")
    for unknown in ("0ae", None):
        with pytest.raises(UserError, match="outside this project"):
            check_address(f"sqlite:///{database}", "run", run_id=unknown)


def test_a_home_folder_that_is_a_repository_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    project_root.cache_clear()
    check_address(f"sqlite:///{tmp_path}/mlflow.db", "run")
    with pytest.raises(UserError, match="outside this project"):
        check_address(f"sqlite:///{tmp_path}/.mozilla/places.sqlite", "run")
    monkeypatch.undo()
    project_root.cache_clear()


def test_another_programs_database_is_not_changed(tmp_path: Path) -> None:
    """Whoever names it: MLflow would add its tables there."""
    database = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE moz_places (id INTEGER)")
    before = database.read_bytes()
    with pytest.raises(UserError, match=r"places\.sqlite is no MLflow store .*'moz_places'"):
        open_client(f"sqlite:///{database}")
    with (
        pytest.raises(UserError, match="another program's database"),
        open_sqlite(database),
    ):
        pass
    assert database.read_bytes() == before
    assert not database.with_name("places.sqlite-wal").exists()
