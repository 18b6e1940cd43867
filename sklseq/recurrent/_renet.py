"""Classifier and regressor of images, or of their pixels, by recurrence along both axes."""

import math
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, param, same, several
from sklseq.base.images import of_images, read_images
from sklseq.base.parameters import layer_sizes
from sklseq.base.target_rows import TargetRows
from sklseq.data import Images
from sklseq.data.limits import first_beyond, largest
from sklseq.nn.ragged.grids import n_patches
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.renet import IMAGE_POOLINGS, ReNet
from sklseq.parts.epochs import n_epochs
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.scaled_steps import (
    SCALE_ATTRIBUTES,
    SCALE_STORED,
    check_scale,
    learn_scale,
    scaled,
)
from sklseq.parts.supervised import NeuralClassifier, NeuralRegressor
from sklseq.parts.validation import Validation
from sklseq.recurrent._base import BaseRecurrent, CellParameters
from sklseq.training.rows.batch import Rows, Targets
from sklseq.training.rows.images import ImageRows

__all__ = ["BaseReNet", "ReNetClassifier", "ReNetRegressor"]

# Of max_epochs="auto": the least number of training steps, as of sequences.
_STEPS = 200


@estimator
class BaseReNet(NeuralEstimator):
    """Recurrent network over images, along their columns and rows."""

    target: str = param(
        "image",
        "Unit of a row, which gets one target: each 'image', or each 'pixel'.",
        choice("image", "pixel"),
    )
    patch_size: Any = param(
        2,
        "Height and width, or one number for both, of the patches that are read as one step. "
        "Images that they do not divide are filled up at the bottom and on the right with the mean "
        "of all pixels; with target='pixel' each patch predicts all its pixels.",
        integer(1),
        *several,
    )
    cell: Any = param(
        "gru",
        "Name of the recurrent cell, such as 'rnn', 'gru' or 'lstm' (the user guide has them all), "
        "or a class as `RecurrentClassifier` takes it.",
        choice(*CELLS),
        type,
    )
    cell_options: dict[str, Any] | None = same(CellParameters, "cell_options")
    hidden_size: int = same(BaseRecurrent, "hidden_size")
    num_layers: int = param(
        1,
        "Layers on top of each other, each of which reads along the columns and then the rows.",
        integer(1),
    )
    dropout: float = same(BaseRecurrent, "dropout")
    pooling: str = param(
        "auto",
        "Summary of the states at all patches: their 'mean' or 'max', 'attention' with learned "
        "weights, or 'flatten' for all of them side by side, where all images have one size. "
        "'auto' takes 'flatten' where those of the first fit do, else 'mean'. Not used with "
        "target='pixel'.",
        choice("auto", *IMAGE_POOLINGS),
    )
    image_shape: tuple | None = param(
        None,
        "Height and width, or height, width and channels, of images that are the rows of a table, "
        "as numpy flattens them. None reads a table as images of one line.",
        *several,
        None,
    )

    learning_rate: float = same(BaseRecurrent, "learning_rate")
    lr_schedule: str | None = same(BaseRecurrent, "lr_schedule")
    max_epochs: Any = same(BaseRecurrent, "max_epochs")

    _attributes = SCALE_ATTRIBUTES | {
        "feature_mean_": attribute(
            "ndarray of shape (n_channels,)",
            "Mean of each channel over the pixels of `fit`; the network reads channels that are "
            "centered by it and scaled to unit variance.",
        ),
        "feature_scale_": attribute(
            "ndarray of shape (n_channels,)",
            "Standard deviation of each channel; 1 where it is constant.",
        ),
        "image_shape_": attribute(
            "tuple of int or None",
            "Height, width and number of channels of the images of `fit`; None where they differ "
            "in size.",
        ),
        "n_features_in_": attribute(
            "int", "Columns of a table; of other X the number of channels."
        ),
    }
    _network: ClassVar[type[nn.Module]] = ReNet
    _stored = SCALE_STORED | {
        "feature_mean_": "ndarray of shape (_n_channels,)",
        "feature_scale_": "ndarray of shape (_n_channels,)",
        "_fitted_layout": "str",
        "_n_channels": "int",
    }

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        image_shape_: tuple[int, ...] | None
        _n_channels: int

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : images
            {{X: images}}
        y : array-like
            Of a classifier a label for each image, ``(n_images,)``, or several, each a column of 0
            and 1, ``(n_images, n_classes)``; of a regressor a value, or ``(n_images, n_outputs)``.
            With ``target="pixel"`` one (or several) for each pixel, ``(n_images, height, width)``
            (or with a last axis), or a list of such arrays in the shapes of the images; None and
            NaN are pixels without a target.
        sample_weight : array-like or None, default=None
            Weight of each image, or as y of each pixel.
        X_val, y_val, sample_weight_val : as X, y and sample_weight, or None, default=None
            {{validation}}
        groups : array-like of shape (n_images,) or None, default=None
            {{groups}}

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            {{unchanged}}
        """
        validation = Validation(X_val, y_val, sample_weight_val, groups)
        return self._fit(X, y, sample_weight, validation=validation)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    @property
    def _per_step(self) -> bool:
        return self.target == "pixel"

    # -- reading ---------------------------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> Images:
        images = read_images(self, X, reset=fresh, image_shape=self.image_shape)
        if fresh:
            self.image_shape_ = images.shape
        if (self._pooling() if fresh else self._module_kwargs["pooling"]) == "flatten":
            images.refuse_sizes_other_than(
                self.image_shape_, "pooling='flatten' needs images of one size, 'mean' does not."
            )
        return images

    def _read_fitted(self, X: Any) -> Images:
        images = super()._read_fitted(X)
        per_pixel = self._module_kwargs["pooling"] is None
        self._check_as_fitted("target", "pixel" if per_pixel else "image")
        return images

    def _check_learned(self) -> None:
        super()._check_learned()
        settings, shape = self._module_kwargs, self.image_shape_
        if settings["n_channels"] != self._n_channels:
            raise ValueError(
                f"its network takes {settings['n_channels']} channels, expected {self._n_channels}."
            )
        check_scale(self, self._n_channels)
        if settings["pooling"] == "flatten" and (
            shape is None or settings["n_patches"] != _n_patches(shape, settings["patch_size"])
        ):
            raise ValueError(f"its images have shape {shape}.")

    def _target_rows(self, data: Images) -> TargetRows:
        return of_images(data, self._per_step)

    def _restore(self, data: Images, values: NDArray[Any]) -> NDArray[Any]:
        """Values of rows, in the container of X where a row is a pixel."""
        return data.restore(values) if self._per_step else values

    # -- training --------------------------------------------------------------------------

    def _learn_scale(self, data: Images, weights: NDArray[np.float64]) -> None:
        learn_scale(self, data.pixels, data.sizes, weights, "image")

    def _settings(self, data: Images, targets: Targets) -> dict[str, Any]:
        pooling, patch_size, shape = self._pooling(), self._patch_size(), self.image_shape_
        return {
            "n_channels": self._n_channels,
            "n_outputs": targets.n_outputs,
            "patch_size": patch_size,
            "cell": self.cell,
            "cell_options": self.cell_options,
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "dropout": self.dropout,
            "pooling": pooling,
            "n_patches": _n_patches(shape, patch_size) if pooling == "flatten" and shape else None,
        }

    def _pooling(self) -> str | None:
        if self._per_step:
            return None
        if self.pooling == "auto":
            return "mean" if self.image_shape_ is None else "flatten"
        return self.pooling

    def _patch_size(self) -> tuple[int, int]:
        if isinstance(self.patch_size, Integral):
            return int(self.patch_size), int(self.patch_size)
        size = layer_sizes("patch_size", self.patch_size)
        if len(size) != 2:
            raise ValueError(
                f"patch_size={self.patch_size!r} is neither a number nor (height, width)."
            )
        return size[0], size[1]

    def _n_epochs(self, rows: Rows) -> int:
        return n_epochs(self, rows, _STEPS)

    def _rows(self, data: Images, like: Tensor, targets: Targets | None = None) -> ImageRows:
        values = scaled(self, data.pixels, like)
        if (beyond := first_beyond(values, largest(values.dtype), values.dtype)) is not None:
            (pixel, channel), what, why = beyond
            raise ValueError(
                f"Input X, standardized, contains {what} at {data.place(pixel)}, channel "
                f"{channel}{why}: scale the images."
            )
        patch_size = self._module_kwargs["patch_size"]
        patches = data.with_pixels(values).patches(patch_size)
        sizes = np.stack([data.heights, data.widths], axis=1)
        return ImageRows(patches, sizes, patch_size, like, targets, self._per_step)


def _n_patches(shape: tuple[int, ...], patch_size: tuple[int, int]) -> int:
    return math.prod(n_patches(*pair) for pair in zip(shape[:2], patch_size, strict=True))


@estimator
class ReNetClassifier(NeuralClassifier, BaseReNet):
    """Classify images, or their pixels, by recurrent networks along columns and rows.

    An image is cut into patches. One recurrent layer reads the patches of each column downward and
    upward, another one what these give along each row, to the right and to the left, so that the
    state at each patch depends on the whole image [1]_. Images may differ in size; no padding
    enters a result. The network is trained to minimize the cross-entropy of its softmax output.

    References
    ----------
    .. [1] Visin et al. (2015). "ReNet: a recurrent neural network based alternative to
       convolutional networks". arXiv:1505.00393, section 2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklseq.recurrent import ReNetClassifier
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> model = ReNetClassifier(image_shape=(8, 8), max_epochs=5, random_state=0)
    >>> bool(model.fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.9)
    True

    A label for each pixel of images of different sizes: the brightest column.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.uniform(size=(rng.integers(2, 6), rng.integers(2, 6))) for _ in range(40)]
    >>> y = [x.sum(axis=0) == x.sum(axis=0).max() for x in X]
    >>> y = [np.broadcast_to(best, x.shape) for best, x in zip(y, X)]
    >>> model = ReNetClassifier(target="pixel", patch_size=1, random_state=0).fit(X, y)
    >>> model.predict(X[:2])[0].shape == X[0].shape
    True
    """


@estimator
class ReNetRegressor(NeuralRegressor, BaseReNet):
    """Predict real values of images, or of their pixels, by recurrence along columns and rows.

    As `ReNetClassifier` [1]_; the network is trained to minimize `loss`, by default the squared
    error of y scaled to unit variance.

    References
    ----------
    .. [1] Visin et al. (2015). "ReNet: a recurrent neural network based alternative to
       convolutional networks". arXiv:1505.00393, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recurrent import ReNetRegressor
    >>> X = np.random.default_rng(0).uniform(size=(200, 6, 6))
    >>> y = X[:, :3].mean(axis=(1, 2)) - X[:, 3:].mean(axis=(1, 2))
    >>> model = ReNetRegressor(hidden_size=16, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """
