"""A reservoir's numbers as the weights of a leaky recurrent network that can be trained."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["recurrent_equivalent"]


def recurrent_equivalent(esn: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """As `ESNRegressor.recurrent_equivalent`, of a fitted one with a ridge readout."""
    needed = {
        "num_layers": 1,
        "features": "state",
        "rotation": None,
        "activation": "tanh",
        "n_slices": 1,
    }
    for name, value in needed.items():
        if (found := getattr(esn, name)) != value:
            raise ValueError(
                f"{name}={found!r}: a recurrent network computes the same as a reservoir with "
                f"{name}={value!r} only."
            )
    if esn.washout and esn.target == "sequence" and (esn.pooling != "last" or esn.bidirectional):
        raise ValueError(
            f"washout={esn.washout} leaves steps out of pooling={esn.pooling!r}, which a recurrent "
            "network does not: fit the reservoir with washout=0."
        )
    params = {"cell": "leaky", "cell_options": None, "num_layers": 1}
    params["hidden_size"] = esn.reservoir_size
    params |= {name: getattr(esn, name) for name in ("target", "pooling", "bidirectional")}
    state: dict[str, NDArray[Any]] = {}
    directions = {"forward": esn.layers_, "backward": esn.backward_layers_ or []}
    for direction, layers in directions.items():
        for i, layer in enumerate(layers):
            units = layer.recurrent_weights.shape[0]
            bias = np.zeros(units) if layer.bias is None else layer.bias
            prefix = f"stack.{direction}_layers.{i}."
            state[prefix + "weight_hh"] = _dense(layer.recurrent_weights)
            state[prefix + "weight_ih"] = _dense(layer.input_weights)
            state[prefix + "bias"] = bias
            state[prefix + "leak_rate"] = np.broadcast_to(layer.leak_rate, (units,))
    # The network predicts y centered and scaled.
    coef, scale = np.atleast_2d(esn.coef_), esn.target_scale_
    state["head.weight"] = coef / scale[:, None]
    state["head.bias"] = (np.ravel(esn.intercept_) - esn.target_mean_) / scale
    return params, {name: torch.tensor(np.asarray(values)) for name, values in state.items()}


def _dense(weights: Any) -> NDArray[Any]:
    return np.asarray(weights.toarray() if hasattr(weights, "toarray") else weights)
