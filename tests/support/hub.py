"""A hub of pretrained weights on loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from sightline.models.backbone import timm_backbone
from sightline.types import PreprocessSpec

COLOUR = PreprocessSpec(40, 3, (0.4, 0.5, 0.6), (0.2, 0.2, 0.2))


def backbone(name: str = "test_resnet", **options: object) -> torch.nn.Module:
    defaults: dict[str, object] = {
        "num_classes": 3,
        "in_chans": 3,
        "img_size": 40,
        "img_size_override": None,
        "from_data": COLOUR,
        "pretrained": False,
        "pretrained_path": None,
        "freeze_backbone": False,
        "drop_rate": 0.0,
        "drop_path_rate": 0.0,
    }
    return timm_backbone(name=name, **(defaults | options))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights as timm publishes them for test_resnet (1,000 classes)."""
    torch.manual_seed(3)
    model = timm.create_model("test_resnet", pretrained=False)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(model.state_dict(), path)
    return path


class _Hub(BaseHTTPRequestHandler):
    """The part of the hub's protocol that downloading one file takes."""

    file: Path
    requested: list[str]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        type(self).requested.append(f"{self.command} {self.path}")
        if not self.path.endswith("/model.safetensors"):
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = self.file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(weights: Path) -> Iterator[tuple[str, list[str]]]:
    handler = type("Hub", (_Hub,), {"file": weights, "requested": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.requested  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
