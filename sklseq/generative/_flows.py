"""Normalising flows as density estimators."""

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.base import choice, estimator, integer, param, real
from sklseq.generative._whole_numbers import WholeNumbersDensity
from sklseq.nn.flows.density import BASES
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.parts.flow_density import FlowMixin
from sklseq.parts.table_estimator import layer_sizes
from sklseq.training.rows.batch import Batch

__all__ = ["Glow", "RealNVP"]

# Smallest eigenvalue of correlations that is more than rounding.
_COLLINEAR = 1e-12


@estimator
class _FlowEstimator(FlowMixin, WholeNumbersDensity):
    """A flow with its settings, for tables."""

    n_layers: int = param(8, "Coupling layers.", integer(0))
    hidden_layer_sizes: tuple = param(
        (64, 64), "Units of the hidden layers of each coupling's network.", tuple, list
    )
    activation: str = param(
        "relu", "Of the hidden layers of each coupling's network.", choice(*ACTIVATIONS)
    )
    coupling: str = param(
        "affine",
        "How a coupling changes a feature: 'affine' scales and shifts it, 'spline' bends it by a "
        "rational-quadratic spline.",
        choice("affine", "spline"),
    )
    n_bins: int = param(8, "Bins of a spline.", integer(2))
    bound: float = param(
        5.0,
        "Splines act on [-bound, bound], in standard deviations from the mean; beyond, values "
        "pass unchanged.",
        real(0, closed="neither"),
    )
    base: str = param(
        "normal",
        "Distribution of the noise: 'normal', or 'student', whose heavy tails bear data with rows "
        "far out.",
        choice(*BASES),
    )
    batch_size: int = param(128, "Rows in a training step.", integer(1))

    _mixing: ClassVar[str]

    @property
    def _if_constant(self) -> str:
        """What to do where a feature is constant."""
        return "Leave it out, for example with VarianceThreshold, or add noise"

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        self._check_varying(inputs[0], weights)
        return {
            "n_features": inputs[0].shape[1],
            "n_context": self._n_conditions(inputs),
            "n_layers": self.n_layers,
            "hidden_layer_sizes": layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes),
            "activation": self.activation,
            "coupling": self.coupling,
            "n_bins": self.n_bins,
            "bound": float(self.bound),
            "mixing": self._mixing,
            "base": self.base,
        }

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        return super()._objective(module, batch._replace(inputs=self._spread(batch.inputs)))

    def _initialise(self, module: nn.Module, inputs: tuple[Tensor, ...], weight: Tensor) -> None:
        # Without noise a whole number that hardly varies would be scaled to nothing.
        with self._drawing(weight.device):
            super()._initialise(module, self._spread(inputs), weight)

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        super()._finish(inputs, weights)
        if self.coupling == "spline":
            self._warn_of_domain(inputs[0], weights)

    def _warn_of_domain(self, X: NDArray[Any], weights: NDArray[np.float64]) -> None:
        centred = X - np.average(X, axis=0, weights=weights)
        variance = np.average(centred**2, axis=0, weights=weights)
        if (widths := self._widths()) is not None:
            variance += widths**2 / 12
        deviation = np.sqrt(variance)
        is_outside = np.abs(centred) > self.bound * deviation
        outside = np.average(is_outside.mean(axis=1), weights=weights)
        if outside > 0.01:
            warnings.warn(
                f"{outside:.1%} of the values lie more than bound={self.bound:g} standard "
                "deviations from the mean, where splines leave them as they are: raise bound, or "
                "transform the features, for example with QuantileTransformer.",
                UserWarning,
                stacklevel=2,
            )

    def _check_varying(self, X: NDArray[Any], weights: NDArray[np.float64]) -> None:
        counted = X[weights > 0]
        if len(counted) < 2:
            raise ValueError(
                f"A density needs more than {len(counted)} sample; n_samples must be 2."
            )
        # The noise on whole numbers makes them vary.
        constant = np.flatnonzero((np.ptp(counted, axis=0) == 0) & ~self._whole)
        if len(constant):
            raise ValueError(
                f"Feature {constant[0]} is constant, so the rows have no density. "
                f"{self._if_constant}."
            )
        self._warn_of_plane(counted)

    def _warn_of_plane(self, X: NDArray[Any]) -> None:
        """Real numbers that lie on a plane have no density; whole numbers have their noise."""
        places = np.flatnonzero(~self._whole)
        if len(places) < 2:
            return
        sizes, directions = np.linalg.eigh(np.corrcoef(X[:, places], rowvar=False))
        if sizes[0] < _COLLINEAR:
            feature = places[np.abs(directions[:, 0]).argmax()]
            warnings.warn(
                f"Feature {feature} is a linear function of other features in these {len(X)} rows, "
                "which have no density: scores of other rows mean nothing. Leave it out, reduce "
                "the features, for example with PCA, or take more rows.",
                UserWarning,
                stacklevel=2,
            )

    def _draw(
        self, n_samples: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        return self._decoded_noise(n_samples, condition, rng)


@estimator
class RealNVP(_FlowEstimator):
    """Density estimation by a flow of affine or spline couplings.

    A flow maps rows to standard normal noise by invertible layers, so that the density of a row
    is known exactly and rows are drawn by mapping noise back. Each coupling changes one half of
    the features as a network of the other half says [1]_; with ``coupling="spline"`` by monotonic
    splines [2]_. The features are standardised first, by a layer that is part of the flow:
    densities are those of the rows as given. Arrays and columns of integers are whole numbers: they
    are drawn as such, and scores are a lower bound of their log-probability, by noise of width one
    [3]_; other columns must be real numbers.

    See Also
    --------
    Glow : With learned linear maps between the couplings.

    References
    ----------
    .. [1] Dinh, Sohl-Dickstein and Bengio (2017). Density estimation using Real NVP. ICLR.
    .. [2] Durkan, Bekasov, Murray and Papamakarios (2019). Neural spline flows. NeurIPS.
    .. [3] Theis, van den Oord and Bethge (2016). A note on the evaluation of generative models.
       ICLR, section 3.1.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklseq.generative import RealNVP
    >>> X, _ = make_moons(200, noise=0.1, random_state=0)
    >>> flow = RealNVP(max_epochs=10, random_state=0).fit(X)
    >>> flow.sample(3, random_state=0).shape
    (3, 2)
    >>> flow.score_samples(X).shape
    (200,)
    """

    _mixing = "shuffle"


@estimator
class Glow(_FlowEstimator):
    """Density estimation by a flow of couplings with learned linear maps between them.

    Each step standardises the features (ActNorm, set from all the training data when `fit`
    begins), mixes them by a linear map kept as triangular factors, and changes one half of them
    as a network of the other half says [1]_. The first map starts by whitening the training
    data, so that training begins at the normal distribution with full covariance; with
    ``n_layers=0`` it stays there. Integers are taken as in `RealNVP`.

    With `image_shape` the rows are images. Pixels are gathered four by four into channels, the
    linear maps are those of a pixel's channels and the networks convolutions; after `n_layers`
    couplings one half of the channels is left to the noise, and the other goes on at half the
    size, as long as it can be halved.

    See Also
    --------
    RealNVP : With fixed orders of the features between the couplings.

    References
    ----------
    .. [1] Kingma and Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions.
       NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklseq.generative import Glow
    >>> X, y = load_iris(return_X_y=True)
    >>> flow = Glow(conditional=True, n_layers=4, max_epochs=10, random_state=0).fit(X, y)
    >>> flow.sample(3, y=2, random_state=0).shape
    (3, 4)
    """

    image_shape: tuple | None = param(
        None,
        "Height and width, or height, width and channels, of images that are the rows, as numpy "
        "flattens them; height and width must be even. `hidden_layer_sizes` are then filters of "
        "convolutions, `n_layers` the couplings at each scale. None for a table.",
        tuple,
        list,
        None,
    )

    _mixing = "linear"

    @property
    def _if_constant(self) -> str:
        if self.image_shape is None:
            return super()._if_constant
        return "Turn the pixels into integers, or add uniform noise of one grey level"

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        shape = self._checked_image_shape(inputs[0].shape[1])
        return super()._module_settings(inputs, weights) | {"image_shape": shape}

    def _checked_image_shape(self, n_features: int) -> tuple[int, ...] | None:
        if self.image_shape is None:
            return None
        shape = layer_sizes("image_shape", self.image_shape)
        if len(shape) not in (2, 3) or shape[0] % 2 or shape[1] % 2:
            raise ValueError(
                f"image_shape={self.image_shape!r} is not (height, width) or (height, width, "
                "channels) with even height and width: crop or pad the images."
            )
        if np.prod(shape) != n_features:
            raise ValueError(
                f"image_shape={self.image_shape!r} has {np.prod(shape)} values, but the rows of X "
                f"have {n_features}."
            )
        return shape
