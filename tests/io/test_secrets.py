"""Passwords: hidden wherever something is shown or kept, and found again where they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import Sightline

from sightline.config.schema import Job
from sightline.errors import UserError
from sightline.io.secrets import (
    credentials_for_children,
    hide_password,
    split_credentials,
    with_credentials,
)
from sightline.runs.resume import resumed_arguments

SHOWN = {
    "http://alice:hunter2@h:5000/x": "http://***@h:5000/x",
    "http://alice:hun@ter2@h": "http://***@h",
    "http://alice:hun/ter2@h/x": "http://***@h/x",
    "http://alice:hun#t?er2@h": "http://***@h",
    "http://:hunter2@h": "http://***@h",
    "https://token@h": "https://***@h",
    "postgresql+psycopg://u:a%40b@h/db?sslmode=require": "postgresql+psycopg://***@h/db?sslmode=require",
    "postgresql://h/db?user=u&password=hunter2&x=1": "postgresql://h/db?user=u&password=***&x=1",
    "a=http://u:p@h b=http://v:q@i": "a=http://***@h b=http://***@i",
    '{"uri": "http://u:p@h", "at": "a@b"}': '{"uri": "http://***@h", "at": "a@b"}',
    "http://h:8080/path@v1": "http://h:8080/path@v1",
    "https://[::1]:80/a@b": "https://[::1]:80/a@b",
    "hf://datasets/a/b@main/x": "hf://datasets/a/b@main/x",
    "someone@somewhere": "someone@somewhere",
}  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_what_is_shown(text: str, shown: str) -> None:
    assert hide_password(text) == shown
    assert hide_password(shown) == shown


def test_an_address_is_split_and_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = "https://alice:p%40ss%2Fword@h:5000/x"
    assert split_credentials(uri) == (
        "https://h:5000/x",
        {"MLFLOW_TRACKING_USERNAME": "alice", "MLFLOW_TRACKING_PASSWORD": "p@ss/word"},
    )
    assert credentials_for_children(uri)["MLFLOW_TRACKING_PASSWORD"] == "p@ss/word"
    assert with_credentials(hide_password(uri)) == "https://h:5000/x"
    database = "postgresql://u:secret@h/db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match="set MLFLOW_TRACKING_URI"):
        with_credentials(hide_password(database))
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", credentials_for_children(database)["MLFLOW_TRACKING_URI"]
    )
    assert with_credentials(hide_password(database)) == database


def test_a_resumed_run_goes_to_the_same_server() -> None:
    arguments = ["seed=1", "tracking.uri='https://***@h/x'", "hydra.run.dir=elsewhere"]
    job = Job(Path("/r"), {}, [], None, "", arguments)
    assert resumed_arguments(job, []) == [
        "seed=1", "tracking.uri='https://h/x'", "hydra.run.dir='/r'",
    ]  # fmt: skip
    given = resumed_arguments(job, ["tracking.uri=null"])
    assert given == ["seed=1", "tracking.uri=null", "hydra.run.dir='/r'"]
    lost = Job(Path("/r"), {}, [], None, "", ["data.root=https://***@h"])
    with pytest.raises(UserError, match=r"data.root=https://\*\*\*@h: what \*\*\* stands for"):
        resumed_arguments(lost, [])


@pytest.mark.parametrize("debug", ["0", "1"])
def test_errors_show_no_password(
    debug: str, sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_DEBUG", debug)
    uri = "tracking.uri=mongodb://alice:hunter2@h"
    for wrong in ([uri, "seed=-1"], [uri, "optimizer.lr2=1"], [uri, "seed=[1"], [uri, "model=no"],
                  ["tracking.uri=[http://alice:hunter2@h"]):  # fmt: skip
        done = sightline("train", *wrong, tracked=False)
        assert done.status in (1, 2)
        assert done.err
        assert "hunter2" not in done.out + done.err
