"""Networks of tables and images in ONNX, written by torch's exporter."""

import logging
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.autoencoder._base import BaseAutoencoder
from sklseq.generative import AAE, VAE
from sklseq.generative._flows import FlowModel
from sklseq.parts.frames import TableFormat

__all__ = ["TableExport"]


class _Method(nn.Module):
    """A function of a network, of rows as users have them."""

    origin: Tensor

    def __init__(self, network: nn.Module, function: str, origin: Any, sign: float):
        super().__init__()
        self.network, self.function, self.sign = network, function, sign
        self.register_buffer("origin", torch.as_tensor(origin, dtype=torch.float64))

    def forward(self, X: Tensor) -> Tensor:
        like = next(self.network.parameters())
        rows = (X.double() - self.origin).to(like.dtype)
        result = getattr(self.network, self.function)(rows)
        return result if self.sign == 1 else self.sign * result


class TableExport:
    """What of an estimator of tables is exported, and how.

    Parameters
    ----------
    estimator : NeuralEstimator
        Fitted.
    """

    def __init__(self, estimator: Any):
        self.estimator, self.why = estimator, "its rows are no tensors of one shape"
        self._functions = self._known()
        self.methods = list(self._functions)

    def _known(self) -> dict[str, tuple[str, float]]:
        """By method the function of the network, and what its results are multiplied by."""
        model = self.estimator
        if isinstance(model, BaseAutoencoder):
            return {
                "transform": ("encode", 1.0),
                "reconstruct": ("reconstruct", 1.0),
                "score_samples": ("errors", -1.0),
            }
        if not isinstance(model, (VAE, AAE, FlowModel)):
            if hasattr(model, "sample"):
                self.why = "its results are drawn or searched for, or its rows are sequences"
            return {}
        if model._module_kwargs["n_context"]:
            self.why = "its classes are no column of X; fit a model for each class"
            return {}
        if not isinstance(model._format, TableFormat) or model._format.encoder is not None:
            self.why = "it reads columns of several kinds; fit it on an array of floats"
            return {}
        functions = {"transform": ("encode", 1.0)}
        if isinstance(model, VAE):
            functions["score_samples"] = (model._scored_bound, 1.0)
        # Scores of integers are averages over noise; torch does not export Student's constant.
        elif isinstance(model, FlowModel) and not (
            model._dequantization.whole.any() or model._module_kwargs["base"] == "student"
        ):
            functions["score_samples"] = ("forward", 1.0)
        return functions

    def inputs(self, X_sample: Any) -> dict[str, NDArray[Any]]:
        """What the model takes."""
        self.estimator._read_fitted(X_sample)
        values = np.asarray(X_sample.toarray() if hasattr(X_sample, "toarray") else X_sample)
        return {"X": values if values.dtype == np.float32 else values.astype(np.float64)}

    def model(self, method: str, inputs: dict[str, NDArray[Any]]) -> Any:
        """The ONNX model, whose number of rows is free."""
        model = self.estimator
        origin = getattr(getattr(model, "_format", None), "origin", 0.0)
        function, sign = self._functions[method]
        module: nn.Module = _Method(deepcopy(model.module_).cpu(), function, origin, sign).eval()
        rows = torch.from_numpy(inputs["X"])
        # torch takes a single row for a constant.
        rows = rows if len(rows) > 1 else rows.repeat(2, *[1] * (rows.ndim - 1))
        if getattr(model, "_is_table", False):
            module = nn.Sequential(nn.Unflatten(1, model.image_shape_), module)
            module = nn.Sequential(module, nn.Flatten()) if method == "reconstruct" else module
        logger = logging.getLogger("torch.onnx")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            with torch.no_grad():
                program = torch.onnx.export(
                    module,
                    (rows,),
                    input_names=["X"],
                    output_names=[method],
                    dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
                    dynamo=True,
                    verbose=False,
                )
        except Exception as error:  # of many classes
            name = type(model).__name__
            raise ValueError(f"torch does not export {method} of this {name}: {error}") from error
        finally:
            logger.setLevel(level)
        assert program is not None
        return program.model_proto

    def expected(self, method: str, X_sample: Any) -> NDArray[Any]:
        """Results of the estimator."""
        return np.asarray(getattr(self.estimator, method)(X_sample))

    def compared(self, found: NDArray[Any], rows: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Results of the model, as `expected` has them."""
        return found
