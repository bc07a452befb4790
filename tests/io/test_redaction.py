"""Secrets in text: hidden in every well-known form, and nothing else is changed."""

from __future__ import annotations

import base64
import json
import os
import random
from pathlib import Path

import pytest
from support.secret_texts import SECRETS

from sightline.io.redaction import redact, redact_data, redacted
from sightline.runs.journal.records import ArtifactRecord, ParamsRecord, RunRecord, TagsRecord
from sightline.runs.journal.redacted import redacted_record
from sightline.tracking.mlflow.tags import ERROR, RUN_FOLDER

PLAIN = (
    "accuracy 0.9312, -0.5, 1e-4", "tokenizer = AutoTokenizer()", "secret_santa/img_001.jpg",
    "self.password = password", "max_tokens: 4096", "class_names: [key, token, secret]",
    "/home/me/tokens/a.png", "resnet18.a1_in1k", "sk-learn", "hf_hub", "0123456789abcdef" * 4,
    "skip-connection-with-many-words", "eyJust.a.name", "val/accuracy_macro: 0.5",
    "password: None", "self.password = get_password()", "password=getpass.getpass()",
    "http://h/#/e/1/runs?viewStateShareKey=curves-digits-678d3099&compareRunsMode=CHART",
    "class_token: true", "token = tokenizer.encode(x)", "data.key=images", "glass-with-many-words",
    '{"key": "val/accuracy_macro"}', "-u root", "docker run -u 1000:1000 x", "primary_key: id",
    "global_pool=token",
    "weight_decay=1e-4 label_key=species", "ghp", "2026-11-28 13:00:00,123 INFO x: y",
)  # fmt: skip


@pytest.mark.parametrize("kind", SECRETS)
def test_each_form_is_hidden_wherever_it_stands(kind: str) -> None:
    text, secret = SECRETS[kind]
    for around in ("{}", "error: {} (in x)", "+key = '{}'", '{{"x": "{}"}}', "a={},b", "\n+{}\n"):
        for hide in (redact, redact_data):
            shown = hide(around.format(text))
            assert secret not in shown
            assert "***" in shown
            assert hide(shown) == shown


def test_text_without_secrets_stays() -> None:
    for text in PLAIN:
        assert redact(text) == text
    rng = random.Random(0)
    image = "data:image/png;base64," + base64.b64encode(rng.randbytes(300_000)).decode()
    assert redact(image) == image


def test_values_of_variables_that_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "MY_SERVICE_TOKEN": "plainvalue", "DB_PASSWORD": "pass-w0rd", "APP_SECRET": "a.b*c(d",
        "X_API_KEY": "airplane", "SHORT_TOKEN": "cat", "PIN_KEY": "12345678", "RATE_KEY": "0.12345",
        "SSH_KEY": "/home/me/.ssh/id", "TOKENIZERS_PARALLELISM": "disabled", "NAME": "public-1",
        "KEY_FILE": "keyfile-1", "ROOT_KEY": tmp_path.name, "MODE_SECRET": "multiclass",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    kept = f"cat 12345678 0.12345 /home/me/.ssh/id disabled public-1 keyfile-1 {tmp_path}/x"
    assert redact(kept) == kept
    assert redact("plainvalue, pass-w0rd; 'a.b*c(d'") == "***, ***; '***'"
    assert redact("notplainvalue plainvalues") == "notplainvalue plainvalues"
    # Words may be classes and options: in data they stay.
    data = "label_mode: multiclass\nclass_names: [airplane, plainvalue]\n"
    assert redact_data(data) == data
    assert redact_data("pass-w0rd") == "***"


def test_containers_keep_keys_and_numbers_and_judge_by_keys() -> None:
    values = {"lr": 0.1, "names": ["a", 2, None], "api_key": "abc123", "n": {"label_key": "x1"},
              "hf_" + "a1" * 12: 1}  # fmt: skip
    assert redacted(values) == values | {"api_key": "***"}
    assert redacted({"secrets": 1, "secret": ["abc123"]}) == {"secrets": 1, "secret": ["***"]}
    assert redacted(["data.api_key=abc123", "seed=1"]) == ["data.api_key=***", "seed=1"]


def test_records_keep_what_a_run_is_found_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "t0ken-value")
    path = ArtifactRecord(path="t0ken-value/x").to_json()
    assert redacted_record(path) == path
    run = RunRecord(name="t0ken-value", tags={RUN_FOLDER: "/r/t0ken-value", ERROR: "t0ken-value"})
    stored = redacted_record(run.to_json())
    assert stored["tags"] == {RUN_FOLDER: "/r/t0ken-value", ERROR: "***"}
    assert stored["name"] == "***"
    params = redacted_record(ParamsRecord(params={"data.token": "t0ken-value"}).to_json())
    assert params["params"] == {"data.token": "***"}
    tags = TagsRecord(tags={ERROR: SECRETS["github"][0]})
    assert SECRETS["github"][1] not in json.dumps(redacted_record(tags.to_json()))
    assert os.environ["MY_TOKEN"] == "t0ken-value"
