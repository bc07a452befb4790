"""The model as MLflow loads and serves it: pictures as bytes in, a probability a class out.

MLflow runs this file when the model is loaded ("models from code"); the checkpoint beside it holds
everything else, a plugin's model included, as long as its package is installed.
"""

import base64
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

import sightline


class SightlinePyfunc(PythonModel):
    """A column `image` of encoded pictures (bytes or base64 text) to a column for each class."""

    def load_context(self, context: PythonModelContext) -> None:
        """Rebuild the model from its checkpoint."""
        self.model = sightline.load(context.artifacts["checkpoint"])

    def predict(  # type: ignore[override]  # MLflow takes it without a context too
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Probabilities before calibration, one row a picture."""
        files = [base64.b64decode(v) if isinstance(v, str) else v for v in model_input["image"]]
        probs = self.model.probs(files)
        return pd.DataFrame(probs, columns=list(self.model.class_names))


set_model(SightlinePyfunc())
