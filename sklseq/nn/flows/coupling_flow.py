"""Flows of coupling layers: RealNVP, spline flows and Glow, by their settings."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from sklseq.nn.flows import (
    ActNorm,
    AffineCoupling,
    ClassNorm,
    Composition,
    Flow,
    LULinear,
    Permutation,
    SplineCoupling,
    Transform,
)
from sklseq.nn.flows.couplings import Conditioner
from sklseq.nn.flows.images import ConvolutionalConditioner, image_layers
from sklseq.nn.layers.feedforward import FeedForward

__all__ = ["CouplingFlow"]


class CouplingFlow(Flow):
    """Standardization, class by class, then couplings that transform one half after the other.

    Parameters
    ----------
    n_features : int
    n_context : int, default=0
        Classes that the density is conditional on.
    n_layers : int, default=8
        Couplings; 0 keeps only the layers between them.
    hidden_layer_sizes : sequence of int, default=(64, 64)
    activation : str, default="relu"
    coupling : {"affine", "spline"}, default="affine"
        A single feature, which has no other half, has splines in any case.
    n_bins, bound
        Bins, or range, of spline couplings.
    mixing : {"shuffle", "linear"}, default="shuffle"
        Layers between the couplings: a random permutation after every second one, so that each
        pair transforms all features (Dinh et al. 2017); or, before each, an `ActNorm` and a
        linear map (Kingma and Dhariwal 2018), the first of which starts by whitening the data.
    base : {"normal", "student"}, default="normal"
    image_shape : tuple of int or None, default=None
        Rows are images of this shape: the flow has several scales, its networks are
        convolutional and its linear maps those of pixels, as in `image_layers`.
    """

    def __init__(
        self,
        *,
        n_features: int,
        n_context: int = 0,
        n_layers: int = 8,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        activation: str = "relu",
        coupling: str = "affine",
        n_bins: int = 8,
        bound: float = 5.0,
        mixing: str = "shuffle",
        base: str = "normal",
        image_shape: Sequence[int] | None = None,
    ):
        def conditioner(n_inputs: int, n_outputs: int) -> nn.Module:
            network = FeedForward((n_inputs, *hidden_layer_sizes, n_outputs), activation=activation)
            for layer in network.linears():
                # Torch's own initialization has random biases: with few inputs, kinks of the
                # activation must not all lie at the origin.
                layer.reset_parameters()
            nn.init.zeros_(network.output.weight)
            nn.init.zeros_(network.output.bias)
            return network

        def couple(turns: int, n: int = n_features, nets: Conditioner = conditioner) -> Transform:
            # Scales and shifts that depend on nothing else would compose to one scale and shift.
            if coupling == "affine" and n > 1:
                return AffineCoupling(n, nets, n_context, turns)
            return SplineCoupling(n, nets, n_context, turns, n_bins, bound)

        def couple_images(n: int, size: tuple[int, int]) -> Transform:
            def convolutions(n_inputs: int, n_outputs: int) -> nn.Module:
                changed = n // 2 if coupling == "spline" else None
                return ConvolutionalConditioner(
                    size, n_inputs, n_outputs, n_context, hidden_layer_sizes, activation, changed
                )

            return couple(1, n, convolutions)

        def layers() -> Iterator[Transform]:
            yield ClassNorm(n_features, n_context) if n_context else ActNorm(n_features)
            if mixing == "linear":
                # Couplings start as the identity, so that the data are white behind the first map.
                # The variance of a constant feature is rounding there, and must not be scaled up.
                for i in range(n_layers):
                    if i:
                        yield ActNorm(n_features, from_data=False)
                    yield LULinear(n_features, from_data=i == 0)
                    if i:
                        yield Permutation(order(swap=i % 2 == 1))
                    yield couple(turns=1)
                yield LULinear(n_features, from_data=n_layers == 0, exact=True)
                return
            for i in range(0, n_layers, 2):
                # Two features take turns: a permutation would change nothing.
                if i and n_features > 2:
                    yield Permutation(order(swap=False))
                yield couple(turns=min(2, n_layers - i))

        def order(swap: bool) -> Tensor:
            if swap or n_features == 2:
                return torch.arange(n_features).flip(0)
            return torch.randperm(n_features)

        parts = layers()
        if image_shape is not None:
            parts = image_layers(image_shape, n_layers, n_context, couple_images)
        super().__init__(Composition(parts), base)
        self.is_normal = n_layers == 0 and base == "normal" and image_shape is None
