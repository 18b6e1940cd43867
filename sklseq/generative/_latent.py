"""Generators whose rows are decoded from a few latent variables."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, check_scalar

from sklseq.base import choice, estimator, integer, other_default, param, real, same, several
from sklseq.generative._base import Generator, check_enough_rows
from sklseq.generative._imputation import impute
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.parts.conditions import OneHot, rows_and_classes, with_classes
from sklseq.parts.frames import ALL_KINDS, TableFormat
from sklseq.parts.latent_priors import LatentPriorParameters
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
        *several,
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

    _kinds = ALL_KINDS

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    def _table_format(self) -> TableFormat:
        if self.likelihood == "gaussian":
            return super()._table_format()
        advice = "likelihood='bernoulli' is for values in [0, 1]; or leave likelihood='gaussian'"
        # 0 and 1 keep their meaning.
        return TableFormat(("number", "boolean"), advice, keeps_origin=True)

    def _read(self, X: Any, fresh: bool) -> NDArray[Any]:
        x = super()._read(X, fresh)
        likelihood = self.likelihood if fresh else self._module_kwargs["likelihood"]
        if likelihood == "bernoulli" and (x.min() < 0 or x.max() > 1):
            row, column = np.argwhere((x < 0) | (x > 1))[0]
            raise ValueError(
                f"likelihood='bernoulli' is for values in [0, 1], but X is {x[row, column]:g} at "
                f"row {row}, feature {column}: scale X, for example with MinMaxScaler, or use "
                "likelihood='gaussian'."
            )
        return x

    def _check_learned(self) -> None:
        super()._check_learned()
        encoder, likelihood = self._format.encoder, self._module_kwargs["likelihood"]
        if isinstance(likelihood, str) != (encoder is None) or (
            encoder is not None and likelihood != encoder.layout
        ):
            raise ValueError("its columns are not those of its network.")

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        encoder = self._format.encoder
        names = ("n_components", "hidden_layer_sizes", "activation")
        return self._named_settings(targets, *names) | {
            "n_features": data.shape[1],
            "likelihood": self.likelihood if encoder is None else encoder.layout,
            "noise": self.noise if isinstance(self.noise, str) else float(self.noise),
        }

    def _component_counts(self) -> dict[str, int]:
        """Parameters that must not exceed the number of rows."""
        return {"n_components": self.n_components}

    def _initialize(self, module: Any, rows: DenseRows) -> None:
        assert rows.weight is not None
        check_enough_rows(rows.weight, **self._component_counts())
        module.initialize(*rows_and_classes(rows.arrays), rows.weight)

    transform = Generator._transform

    def impute(self, X: Any, y: Any = None, n_iter: int = 20) -> Any:
        """Fill in missing values with those expected, given the rest of each row.

        Missing values may stand where none was in `fit`. Features should be scaled alike, so that
        each tells as much of the others. To learn from rows that lack values, fit
        on a DataFrame.

        Parameters
        ----------
        X : as in `fit`
            NaN, None and NA are missing.
        y : scalar, array-like of shape (n_samples,) or None, default=None
            Class of the rows, with ``conditional=True``; None takes the most probable ones.
        n_iter : int, default=20
            Times that a row is encoded and decoded, each with the values found before.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            X, where nothing is missing.
        """
        check_is_fitted(self)
        check_scalar(n_iter, "n_iter", (int, np.integer), min_val=1)
        return impute(self, X, y, n_iter)

    def _draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        codes = self._draw_codes(n, classes, rng)
        uniform = rng.random((n, self._module_kwargs["n_features"]))
        return self._run("draw", with_classes((codes, uniform), classes))
