"""Generators whose rows are decoded from a few latent variables."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags

from sklseq.base import choice, estimator, integer, other_default, param, real, same
from sklseq.base.parameters import layer_sizes
from sklseq.generative._base import Arrays, Generator, check_enough_rows
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.parts.conditions import OneHot, rows_and_classes, with_classes
from sklseq.parts.frames import TableFormat
from sklseq.parts.latent_priors import LatentPrior, LatentPriorParameters, fit_latent_prior
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.dense import DenseRows

__all__ = ["LatentVariableModel"]


@estimator
class LatentVariableModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Generator):
    """Rows of an encoder and a decoder with a likelihood."""

    n_components: int = param(2, "Dimension of the latent space.", integer(1))
    hidden_layer_sizes: tuple = param(
        (64, 64),
        "Units of the encoder's hidden layers; the decoder has them in reverse. () is one linear "
        "map each way.",
        tuple,
        list,
    )
    activation: str = param("relu", "Activation of the hidden layers.", choice(*ACTIVATIONS))
    likelihood: str = param(
        "gaussian",
        "Distribution of rows given their latent variables: 'gaussian', or 'bernoulli' for values "
        "in [0, 1] and booleans, which it draws as 0 or 1. With 'gaussian', a table whose columns "
        "are not all real numbers has a likelihood for each kind of column.",
        choice("gaussian", "bernoulli"),
    )
    noise: Any = param(
        "learned",
        "Standard deviation of the Gaussian likelihood: 'learned', one for all features; "
        "'diagonal', one learned for each; or a number, which is kept. In a table that is not all "
        "real numbers, numbers become normal scores, and both names learn one for each column.",
        choice("learned", "diagonal"),
        real(0, closed="neither"),
    )
    latent_prior: str | None = same(LatentPriorParameters, "latent_prior")
    batch_size: int = other_default(Generator, "batch_size", 128)

    if TYPE_CHECKING:
        _latent_prior: LatentPrior | None

    # -- training --------------------------------------------------------------------------

    def _table_format(self) -> TableFormat:
        if self.likelihood == "bernoulli":  # 0 and 1 keep their meaning
            advice = (
                "likelihood='bernoulli' is for values in [0, 1]; or leave likelihood='gaussian'"
            )
            return TableFormat(("number", "boolean"), advice, keeps_origin=True)
        advice = f"this {type(self).__name__} was fitted on numbers alone"
        return TableFormat(("number", "boolean", "category"), advice)

    def _read(self, X: Any, fresh: bool) -> Arrays:
        (x,) = super()._read(X, fresh)
        likelihood = self.likelihood if fresh else self._module_kwargs["likelihood"]
        if likelihood == "bernoulli" and (x.min() < 0 or x.max() > 1):
            row, column = np.argwhere((x < 0) | (x > 1))[0]
            raise ValueError(
                f"likelihood='bernoulli' is for values in [0, 1], but X is {x[row, column]:g} at "
                f"row {row}, feature {column}: scale X, for example with MinMaxScaler, or use "
                "likelihood='gaussian'."
            )
        return (x,)

    def _settings(self, data: Arrays, targets: Targets) -> dict[str, Any]:
        columns = self._format.columns if self._format.encoded else None
        return {
            "n_features": data[0].shape[1],
            "n_components": self.n_components,
            "n_context": 0 if targets.values is None else targets.values.shape[1],
            "hidden_layer_sizes": layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes),
            "activation": self.activation,
            "likelihood": self.likelihood if columns is None else columns.layout,
            "noise": self.noise if isinstance(self.noise, str) else float(self.noise),
        }

    def _component_counts(self) -> dict[str, int]:
        """Parameters that must not exceed the number of rows."""
        return {"n_components": self.n_components}

    def _initialize(self, module: Any, rows: DenseRows) -> None:
        assert rows.weight is not None
        check_enough_rows(rows.weight, **self._component_counts())
        module.initialize(*rows_and_classes(rows.arrays), rows.weight)

    def _fitted_prior(self, codes: NDArray[Any], targets: Targets) -> LatentPrior | None:
        """The distribution that `latent_prior` fits to the codes of the training rows."""
        return fit_latent_prior(
            self.latent_prior,
            codes,
            targets.weights,
            targets.values,
            self._seed,
            dtype=self.dtype,
            device=self.device,
            n_threads=self.n_threads,
        )

    # -- codes and samples -----------------------------------------------------------------

    def _draw_codes(self, n: int, rng: np.random.Generator) -> NDArray[Any]:
        """Draws of the prior that the model was trained with."""
        raise NotImplementedError

    def _draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        prior = self._latent_prior
        codes = self._draw_codes(n, rng) if prior is None else prior.draw(n, classes, rng)
        uniform = rng.random((n, self._module_kwargs["n_features"]))
        return self._run("draw", with_classes((codes, uniform), classes))

    def transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Latent representation of each row.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
        y : scalar, array-like of shape (n_samples,) or None, default=None
            Class of the rows, with ``conditional=True``; None takes the most probable ones.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
        """
        (x,) = self._read_fitted(X)
        return self._encoded(x, y)[0]

    @property
    def _n_features_out(self) -> int:
        return self._module_kwargs["n_components"]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags
