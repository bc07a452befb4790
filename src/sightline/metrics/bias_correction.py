"""Bias-corrected temperature scaling: one temperature, and a bias for each output.

Alexandari, Kundaje and Shrikumar (2020), "Maximum Likelihood with Bias-Corrected Calibration is
Hard-To-Beat at Label Shift Adaptation". Class weights and a balanced sampler train a model for
other shares of the classes than the data has, which no temperature undoes. The biases are fitted
with a normal prior around the correction that follows from the weights (Saerens et al. 2002), so
that classes with few samples on val keep that correction.
"""

import numpy as np
import torch
from scipy.optimize import minimize

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.metrics.calibration import TEMPERATURES
from sightline.predictions import Predictions

SPREAD = 0.5  # standard deviation of the biases around the correction, as logits


def fit_biases(
    label_mode: LabelMode, table: Predictions, shift: np.ndarray
) -> tuple[float, tuple[float, ...]]:
    """The temperature and the biases, one an output, with the least penalised log loss.

    Args:
        label_mode: of the table.
        table: of val, never of test.
        shift: what the training's weights add to the logit of each output, shape (num_outputs,).
    """
    probs, target = to_tensors(table)
    logits = label_mode.logits(probs)
    answers = int(label_mode.answers(target, target)[1].sum())  # that the criterion averages over
    centre = torch.from_numpy(-shift)
    criterion = label_mode.criterion(None, 0.0)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        free = torch.tensor(values, requires_grad=True)
        rescaled = logits / free[0].exp() + free[1:]
        total = answers * criterion(*label_mode.loss_inputs(rescaled, target))
        total = total + ((free[1:] - centre) ** 2).sum() / (2 * SPREAD**2)
        total.backward()
        assert free.grad is not None
        return float(total.detach()), free.grad.numpy()

    low, high = np.log(TEMPERATURES)
    start = np.append(0.0, -shift)
    bounds = [(low, high)] + [(None, None)] * len(shift)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(np.exp(found[0])), tuple(float(each) for each in found[1:])
