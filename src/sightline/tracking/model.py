"""The best checkpoint as an MLflow model, which loads and serves without knowing Sightline."""

import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

CODE = Path(__file__).parent.parent / "inference" / "pyfunc.py"
REQUIREMENTS = ("sightline", "mlflow", "torch", "torchvision", "pandas")
TOLD = "told_ms"  # the tag that says which record a model was made for


def log_model(
    client: MlflowClient, uri: str, run_id: str, checkpoint: Path, class_names: list[str], told: int
) -> None:
    """Log a checkpoint as the model `model`, linked to the run; once for each record.

    Args:
        client: of the store.
        uri: the store's.
        run_id: the run that made it.
        checkpoint: the file.
        class_names: of the columns that the model answers with.
        told: when the record was told, ms; the same record is not logged twice.
    """
    experiment_id = client.get_run(run_id).info.experiment_id
    earlier = client.search_logged_models(
        [experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    for model in earlier:
        if model.tags.get(TOLD) != str(told):
            continue
        if model.status == "READY":
            return
        client.delete_logged_model(model.model_id)  # its sender died half-way
    columns: list[ColSpec | TensorSpec] = [ColSpec(DataType.float, name) for name in class_names]
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image")]), outputs=Schema(columns)
    )
    mlflow.set_tracking_uri(uri)
    model = client.create_logged_model(
        experiment_id, name="model", source_run_id=run_id, tags={TOLD: str(told)}
    )
    with warnings.catch_warnings():
        # Advice about its own type hints, and about an input example: the signature is given.
        warnings.simplefilter("ignore", UserWarning)
        Model.log(
            artifact_path=None,
            model_id=model.model_id,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(CODE),
            artifacts={"checkpoint": str(checkpoint)},
            signature=signature,
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )
