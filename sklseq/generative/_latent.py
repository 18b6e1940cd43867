"""Generators whose rows are decoded from a few latent variables."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.base import choice, estimator, integer, param, real
from sklseq.data import Columns
from sklseq.generative._codes import CodingGenerator, check_enough_rows
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.parts.latent_priors import LatentPriorMixin
from sklseq.parts.table_estimator import layer_sizes

__all__ = ["LatentVariableGenerator"]


@estimator
class LatentVariableGenerator(LatentPriorMixin, CodingGenerator):
    """Rows of an encoder and a decoder with a likelihood."""

    n_components: int = param(2, "Latent variables.", integer(1))
    hidden_layer_sizes: tuple = param(
        (64, 64),
        "Units of the encoder's hidden layers; the decoder has them in reverse. () is one linear "
        "map each way.",
        tuple,
        list,
    )
    activation: str = param("relu", "Of the hidden layers.", choice(*ACTIVATIONS))
    likelihood: str = param(
        "gaussian",
        "How rows scatter about what the decoder expects: 'gaussian', or 'bernoulli' for values "
        "in [0, 1] and booleans, which it draws as 0 or 1. By 'gaussian', columns of a table "
        "that are not all real numbers have each the likelihood of its kind.",
        choice("gaussian", "bernoulli"),
    )
    noise: Any = param(
        "learned",
        "Standard deviation of the Gaussian likelihood: 'learned', one for all features; "
        "'diagonal', one learned for each; or a number that is kept. Numbers of a table that "
        "is not all real numbers become normal scores, and have one learned for each by either.",
        choice("learned", "diagonal"),
        real(0, closed="neither"),
    )
    _any_column: ClassVar[bool] = True

    batch_size: int = param(128, "Rows in a training step.", integer(1))

    def _origin_of(self, rows: NDArray[Any]) -> NDArray[Any]:
        if self.likelihood == "bernoulli":  # whose values mean what they are
            return np.zeros(rows.shape[1])
        return super()._origin_of(rows)

    def _read(self, X: Any, *, reset: bool) -> NDArray[Any]:
        X = super()._read(X, reset=reset)
        likelihood = self.likelihood if reset else self._module_kwargs["likelihood"]
        if likelihood == "bernoulli" and (X.min() < 0 or X.max() > 1):
            row, column = np.argwhere((X < 0) | (X > 1))[0]
            raise ValueError(
                f"likelihood='bernoulli' is for values in [0, 1], but X is {X[row, column]:g} at "
                f"row {row}, feature {column}: scale X, for example with MinMaxScaler, or use "
                "likelihood='gaussian'."
            )
        return X

    def _must_encode(self, columns: Columns) -> bool:
        return self.likelihood != "bernoulli" and super()._must_encode(columns)

    def _why_numbers(self) -> str:
        if self.likelihood == "bernoulli":
            return "likelihood='bernoulli' is for values in [0, 1]; or leave likelihood='gaussian'"
        return super()._why_numbers()

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        return {
            "n_features": inputs[0].shape[1],
            "n_components": self.n_components,
            "n_context": self._n_conditions(inputs),
            "hidden_layer_sizes": layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes),
            "activation": self.activation,
            "likelihood": self._mixed_columns.layout if self._mixed_columns else self.likelihood,
            "noise": self.noise if isinstance(self.noise, str) else float(self.noise),
        }

    def _component_counts(self) -> dict[str, int]:
        """Parameters that must not be above the number of rows."""
        return {"n_components": self.n_components}

    def _initialise(self, module: nn.Module, inputs: tuple[Tensor, ...], weight: Tensor) -> None:
        check_enough_rows(weight.cpu().numpy(), **self._component_counts())
        network: Any = module
        network.initialise(inputs[0], inputs[1] if self.conditional else None, weight)

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        super()._finish(inputs, weights)
        self._refit_prior(self._training_codes(inputs), weights, inputs[1:])

    def _training_codes(self, inputs: tuple[NDArray[Any], ...]) -> NDArray[Any]:
        """Codes whose distribution the decoder knows."""
        return self._run("encode", *inputs)

    def _draw(
        self, n_samples: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        codes = self._sampled_codes(n_samples, condition, rng)
        uniform = rng.random((n_samples, self._module_kwargs["n_features"]))
        return self._run("draw", codes, uniform, *condition)
