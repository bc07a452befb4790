"""Artifact repositories over HTTP that give a server the time to store a large file.

MLflow has one timeout for all requests, from the environment. The sender's is short; an upload
has a timeout of its own.
"""

import posixpath
from pathlib import Path
from typing import Any

from mlflow.exceptions import _UnsupportedMultipartUploadException
from mlflow.store.artifact.artifact_repo import verify_artifact_path
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.mime_type_utils import _guess_mime_type
from mlflow.utils.rest_utils import augmented_raise_for_status, http_request

from sightline.io.stored_address import check_address

UPLOAD_TIMEOUT_S = 600


class LongUploadRepository(HttpArtifactRepository):
    """MLflow's repository for `http(s)://`, with a long timeout for what stores a file.

    Args:
        artifact_uri: the address of the files, as a store holds it.
        tracking_uri: of that store. A server has the credentials already, and may name another
            one; a file that somebody made may not.

    Raises:
        UserError: credentials would go to an address that the user does not name.
    """

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        if not str(tracking_uri).startswith("http"):
            check_address(self.artifact_uri, tracking_uri)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Upload one file.

        Args:
            local_file: the file.
            artifact_path: the folder that it goes to, or None.

        Raises:
            HTTPError, MlflowException: the server did not take it.
        """
        verify_artifact_path(artifact_path)
        if self._should_multipart_upload(local_file):
            try:
                self._try_multipart_upload(local_file, artifact_path)
                return
            except _UnsupportedMultipartUploadException:
                pass  # in one request then
        name = Path(local_file).name
        endpoint = posixpath.join("/", *filter(None, [artifact_path, name]))
        with Path(local_file).open("rb") as stream:
            # An empty stream would be sent in chunks, which not every proxy takes.
            content: Any = stream if Path(local_file).stat().st_size else b""
            response = http_request(
                self._host_creds, endpoint, "PUT", timeout=UPLOAD_TIMEOUT_S, data=content,
                extra_headers={"Content-Type": _guess_mime_type(name)},
            )  # fmt: skip
        augmented_raise_for_status(response)

    def complete_multipart_upload(
        self, local_file: str, upload_id: str, parts: Any = None, artifact_path: str | None = None
    ) -> None:
        """Have the server put the parts of a file together."""
        uri, endpoint = self._construct_artifact_uri_and_path(
            "/mlflow-artifacts/mpu/complete", artifact_path
        )
        content = {
            "path": local_file,
            "upload_id": upload_id,
            "parts": [part.to_dict() for part in parts],
        }
        response = http_request(
            get_default_host_creds(uri), endpoint, "POST", timeout=UPLOAD_TIMEOUT_S, json=content
        )
        augmented_raise_for_status(response)


class LongUploadServerRepository(LongUploadRepository, MlflowArtifactsRepository):
    """The same for `mlflow-artifacts:`, the artifacts that a tracking server stores."""


def register_repositories() -> None:
    """Make MLflow use these repositories, except where a plugin brings another one."""
    known = _artifact_repository_registry.get_registered_artifact_repositories()
    for schemes, usual, own in (
        (("http", "https"), HttpArtifactRepository, LongUploadRepository),
        (("mlflow-artifacts",), MlflowArtifactsRepository, LongUploadServerRepository),
    ):
        for scheme in schemes:
            if known.get(scheme) is usual:
                _artifact_repository_registry.register(scheme, own)
