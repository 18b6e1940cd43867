"""Trained modules as plain numpy arrays, and back."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["converted", "load_weights"]


def converted(value: Any) -> Any:
    """Tensors in dicts and lists as arrays, or arrays as tensors."""
    if isinstance(value, Tensor):
        return np.asarray(value.detach().cpu().numpy(), order="C")
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {k: converted(v) for k, v in value.items()}
    return [converted(v) for v in value] if isinstance(value, list) else value


def load_weights(module: nn.Module, arrays: dict[str, np.ndarray], name: str) -> None:
    """Give a module the stored weights of an estimator of this name, in the type they have."""
    expected = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    found = {k: v.shape for k, v in arrays.items()}
    if expected != found:
        wrong = sorted(k for k in expected.keys() | found if expected.get(k) != found.get(k))
        raise ValueError(
            f"The stored weights of this {name} do not fit its network: "
            + "; ".join(f"{k} is {found.get(k)}, expected {expected.get(k)}" for k in wrong[:3])
        )
    # Assigned, so that the weights keep their type: the parameter may be set anew.
    module.load_state_dict(converted(arrays), assign=True)
