"""Normalizing flows as density estimators."""

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from torch import Tensor, nn

from sklseq.base import choice, estimator, integer, other_default, param, real, several
from sklseq.base.images import check_image_shape
from sklseq.base.outliers import OutlierDetector
from sklseq.generative._base import Generator, fixed_noise
from sklseq.generative._dequantization import UniformDequantization
from sklseq.nn.flows.coupling_flow import CouplingFlow
from sklseq.nn.flows.density import BASES
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.parts.conditions import OneHot, rows_and_classes, set_class_prior, with_classes
from sklseq.parts.flow_density import base_noise, negative_log_likelihood
from sklseq.training.rows.batch import Batch, Targets
from sklseq.training.rows.dense import DenseRows

__all__ = ["Glow", "RealNVP"]

# Smallest eigenvalue of correlations that is more than rounding.
_COLLINEAR = 1e-12


@estimator
class FlowModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierDetector, Generator):
    """A flow of couplings for tables."""

    n_layers: int = param(8, "Number of coupling layers.", integer(0))
    hidden_layer_sizes: tuple = param(
        (64, 64), "Units of the hidden layers of each coupling's network.", *several
    )
    activation: str = param(
        "relu", "Activation of the hidden layers of each coupling's network.", choice(*ACTIVATIONS)
    )
    coupling: str = param(
        "affine",
        "Transform of a feature in a coupling: 'affine' scales and shifts it, 'spline' is a "
        "monotonic rational-quadratic spline. A single feature has splines in any case.",
        choice("affine", "spline"),
    )
    n_bins: int = param(8, "Number of bins of a spline.", integer(2))
    bound: float = param(
        5.0,
        "Bound of the splines' domain, [-bound, bound], in standard deviations from the mean; "
        "beyond it a spline is the identity.",
        real(0, closed="neither"),
    )
    base: str = param(
        "normal",
        "Base distribution: 'normal', or 'student', which is heavy-tailed and so robust to "
        "outliers.",
        choice(*BASES),
    )
    batch_size: int = other_default(Generator, "batch_size", 128)

    _stored = {"_dequantization": UniformDequantization}
    _network: ClassVar[type[nn.Module]] = CouplingFlow
    _mixing: ClassVar[str]

    if TYPE_CHECKING:
        _dequantization: UniformDequantization

    @property
    def _if_constant(self) -> str:
        """What to do about a constant feature."""
        return "Leave it out, for example with VarianceThreshold, or add noise"

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    # -- training --------------------------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> NDArray[Any]:
        x = super()._read(X, fresh)
        if fresh:
            self._dequantization = UniformDequantization(self._format.whole_numbers(x.shape[1]))
        return x

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        self._check_varying(data[targets.weights > 0])
        names = ("n_layers", "hidden_layer_sizes", "activation", "coupling", "n_bins", "base")
        return self._named_settings(targets, *names) | {
            "n_features": data.shape[1],
            "bound": float(self.bound),
            "mixing": self._mixing,
        }

    def _initialize(self, module: Any, rows: DenseRows) -> None:
        # Without its noise a whole number that hardly varies would have a scale of almost zero.
        with fixed_noise(self._seed):
            inputs = self._dequantization.with_noise(rows.arrays)
        module.transform.initialize(*rows_and_classes(inputs), rows.weight)

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        noisy = batch._replace(inputs=self._dequantization.with_noise(batch.inputs))
        # A normal distribution starts at the mean and covariance of the rows, with new noise not
        # quite at the best ones.
        is_best = module.is_normal and not self._dequantization.whole.any()
        return negative_log_likelihood(module, noisy, is_best=is_best)

    def _finish(self, data: NDArray[Any], targets: Targets) -> None:
        set_class_prior(self, targets.values, targets.weights)
        if self.conditional:
            self._learn_offset(data, targets.weights)
        else:
            self._set_offset(self._density(data, None), targets.weights)
        if self.coupling == "spline":
            self._warn_of_domain(data, targets.weights)

    def _check_varying(self, x: NDArray[Any]) -> None:
        if len(x) < 2:
            raise ValueError(
                "A density needs at least 2 samples with positive weight, but n_samples="
                f"{len(x)}: take more rows."
            )
        # Whole numbers vary by their noise.
        constant = np.flatnonzero((np.ptp(x, axis=0) == 0) & ~self._dequantization.whole)
        if len(constant):
            raise ValueError(
                f"Feature {constant[0]} is constant, so the rows have no density. "
                f"{self._if_constant}."
            )
        self._warn_if_collinear(x)

    def _warn_if_collinear(self, x: NDArray[Any]) -> None:
        """Real numbers that lie on a plane have no density; whole numbers have their noise."""
        places = np.flatnonzero(~self._dequantization.whole)
        if len(places) < 2:
            return
        sizes, directions = np.linalg.eigh(np.corrcoef(x[:, places], rowvar=False))
        if sizes[0] < _COLLINEAR:
            feature = places[np.abs(directions[:, 0]).argmax()]
            warnings.warn(
                f"Feature {feature} is a linear function of other features in these {len(x)} rows, "
                "which have no density, so that scores of other rows are meaningless. Leave it "
                "out, reduce the features, for example with PCA, or take more rows.",
                UserWarning,
                stacklevel=2,
            )

    def _warn_of_domain(self, x: NDArray[Any], weights: NDArray[np.float64]) -> None:
        centered = x - np.average(x, axis=0, weights=weights)
        variance = np.average(centered**2, axis=0, weights=weights)
        deviation = np.sqrt(variance + self._dequantization.widths**2 / 12)
        is_outside = np.abs(centered) > self.bound * deviation
        outside = np.average(is_outside.mean(axis=1), weights=weights)
        if outside > 0.01:
            warnings.warn(
                f"{outside:.1%} of the values lie more than bound={self.bound:g} standard "
                "deviations from the mean, where splines are the identity: raise bound, or "
                "transform the features, for example with QuantileTransformer.",
                UserWarning,
                stacklevel=2,
            )

    # -- densities, codes and samples ------------------------------------------------------

    score_samples = Generator._score_samples
    transform = Generator._transform

    def _density(self, data: NDArray[Any], classes: OneHot) -> NDArray[np.float64]:
        def of_real_numbers(x: NDArray[Any]) -> NDArray[np.float64]:
            return self._run("forward", with_classes((x,), classes)).astype(np.float64)

        return self._dequantization.expected(of_real_numbers, data, self._seed)

    def _draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        noise = base_noise(self.module_, n, self.n_features_in_, rng)
        return self._run("decode", with_classes((noise,), classes))

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_


@estimator
class RealNVP(FlowModel):
    """Density estimation by a normalizing flow of affine or spline couplings.

    A flow maps rows to standard normal noise by invertible layers, so that the density of a row
    is exact and rows are sampled by mapping noise back. Each coupling transforms one half of the
    features with parameters from a network of the other half [1]_; with ``coupling="spline"`` by
    monotonic splines [2]_. The features are standardized first, by a layer that is part of the
    flow: densities are those of the rows as given. Arrays and columns of integers are whole
    numbers: they are sampled as such, and scores are a lower bound of their log-probability, by
    uniform dequantization [3]_. Other columns must be real numbers.

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
class Glow(FlowModel):
    """Density estimation by a normalizing flow of couplings and learned linear maps.

    Each step standardizes the features (ActNorm, initialized from all the training data), mixes
    them by a linear map kept as triangular factors, and transforms one half of them with parameters
    from a network of the other half [1]_. The first map is initialized by whitening the training
    data, so that training starts at the normal distribution with full covariance; with
    ``n_layers=0`` it is that distribution. Integers are treated as in `RealNVP`.

    With `image_shape` the rows are images. Blocks of four pixels are squeezed into channels, the
    linear maps are 1x1 convolutions and the networks convolutional; after `n_layers` couplings one
    half of the channels is left as noise, and the other continues at half the height and width, as
    long as they can be halved.

    See Also
    --------
    RealNVP : With fixed permutations of the features between the couplings.

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
        *several,
        None,
    )

    _mixing = "linear"

    @property
    def _if_constant(self) -> str:
        if self.image_shape is None:
            return super()._if_constant
        return "Turn the pixels into integers, or add uniform noise of one gray level"

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        shape = self._checked_image_shape(data.shape[1])
        return super()._settings(data, targets) | {"image_shape": shape}

    def _checked_image_shape(self, n_features: int) -> tuple[int, ...] | None:
        if self.image_shape is None:
            return None
        shape = check_image_shape(self.image_shape, n_features)
        if shape[0] % 2 or shape[1] % 2:
            raise ValueError(
                f"image_shape={self.image_shape!r} needs an even height and width: crop or pad the "
                "images."
            )
        return shape
