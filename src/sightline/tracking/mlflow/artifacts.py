"""Upload of a run's files to MLflow: artifacts, images of a series, and models."""

import tempfile
import uuid
from pathlib import Path

from mlflow import MlflowClient
from mlflow.tracking.multimedia import compress_image_size
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_IMAGES
from PIL import Image

from sightline.runs.folder import RunFolder
from sightline.runs.journal.records import ArtifactRecord, ImageRecord, ModelRecord
from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, UploadError
from sightline.tracking.mlflow.model import CheckpointModel, log_model
from sightline.tracking.mlflow.store import Store

FileRecord = ArtifactRecord | ImageRecord | ModelRecord


def upload_file(
    store: Store, folder: RunFolder, run_id: str, record: FileRecord, register: str | None
) -> None:
    """Upload the file of one record.

    Args:
        store: open.
        folder: the run's own, which has the file.
        run_id: of the run in the store.
        record: names the file.
        register: the name under which a model is registered, or None.

    Raises:
        UploadError: the file is gone, damaged or refused by a library; later files are not
            affected.
        MlflowException, OSError, ...: the store did not take it.
    """
    name = record.checkpoint if isinstance(record, ModelRecord) else record.path
    path = folder.path / name
    if not path.resolve().is_relative_to(folder.path.resolve()):
        raise UploadError(f"{name} is not in the run's folder, and was not read")
    if path.exists() and not path.is_file():
        raise UploadError(f"{path} is no regular file, and was not read")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UploadError(f"{path} cannot be read: {error.strerror}") from error
    # Where a process works in the folder, the file may be newer than what was logged of it.
    problem = None if folder.owner() is not None else folder.damage_of(name)
    if problem is not None:
        raise UploadError(f"{path} is damaged: {problem}")
    try:
        match record:
            case ArtifactRecord():
                parent = str(Path(name).parent)
                store.client.log_artifact(run_id, str(path), None if parent == "." else parent)
            case ImageRecord():
                _upload_image(store.client, run_id, record, path)
            case ModelRecord():
                model = CheckpointModel.from_record(record, path)
                log_model(store.client, store.uri, run_id, model, register)
    except (*UPLOAD_ERRORS, UploadError):
        raise
    except Exception as error:  # of any library: the next file is uploaded all the same
        raise UploadError(f"{path}: {type(error).__name__}: {error}") from error


def _upload_image(client: MlflowClient, run_id: str, record: ImageRecord, path: Path) -> None:
    """As `MlflowClient.log_image` does, but under a name that is the same at each upload."""
    key, step, moment = record.key, record.step, record.time_ms
    unique = uuid.uuid5(uuid.NAMESPACE_URL, f"{key} {step} {moment}")
    name = f"{key.replace('/', '~')}+step+{step}+timestamp+{moment}+{unique}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            image = Image.open(path, formats=("PNG", "JPEG")).convert("RGB")
        except OSError as error:
            raise UploadError(f"{path} is no image: {error}") from error
        image.save(f"{folder}/{name}.png")
        compress_image_size(image).save(f"{folder}/{name}+compressed.webp")
        client.log_artifacts(run_id, folder, "images")
    client.set_tag(run_id, MLFLOW_LOGGED_IMAGES, True)
