"""The commands that serve a model: a shell makes of them what MLflow's server takes."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from sightline.tracking.mlflow.model_words import serving_commands


def test_the_shell_makes_one_column_of_base64(tmp_path: Path) -> None:
    image = bytes(range(256)) * 1000  # over what an argument of a command may hold
    (tmp_path / "image.png").write_bytes(image)
    words = serving_commands("m-1", "http://user:secret@host:5000")
    assert "secret" not in words
    serve, body, curl = words.splitlines()
    assert "-m models:/m-1" in serve
    assert curl.strip().startswith("curl http://127.0.0.1:5001/invocations")
    made = subprocess.run(
        ["sh", "-c", body.removesuffix("|")], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    split = json.loads(made)["dataframe_split"]
    assert split["columns"] == ["image"]
    assert base64.b64decode(split["data"][0][0]) == image
