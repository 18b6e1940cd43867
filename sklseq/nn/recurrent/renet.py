"""Recurrence over images, in both directions of both axes."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from sklseq.nn.ragged.grids import Grids
from sklseq.nn.ragged.pooling import AttentionPooling, max_pool, mean_pool
from sklseq.nn.recurrent.stack import RecurrentStack

__all__ = ["IMAGE_POOLINGS", "ReNet"]

IMAGE_POOLINGS = ("flatten", "mean", "max", "attention")


class ReNet(nn.Module):
    """Recurrent layers up and down the columns of an image, and left and right along its rows.

    With patches ``p`` of the image, or the states of the layer before, a layer computes ``v =
    [f_down(p_1j, ..., p_ij); f_up(p_nj, ..., p_ij)]`` and ``h = [f_right(v_i1, ..., v_ij);
    f_left(v_im, ..., v_ij)]`` (Visin et al. 2015, eq. 1 to 3), so that the state at each patch
    depends on the whole image. Only the first layer reads patches of more than one pixel.

    Parameters
    ----------
    n_channels : int
        Values of a pixel.
    n_outputs : int
        Of an image, or of each pixel.
    patch_size : (int, int), default=(1, 1)
        Height and width.
    cell, hidden_size, num_layers, dropout, cell_options
        As in `RecurrentStack`; a layer has four recurrences of `hidden_size` units.
    pooling : {"flatten", "mean", "max", "attention"} or None, default="mean"
        Of the states at all patches; None gives an output for each pixel.
    n_patches : int or None, default=None
        Patches of an image, needed by "flatten".
    """

    def __init__(
        self,
        *,
        n_channels: int,
        n_outputs: int,
        patch_size: tuple[int, int] = (1, 1),
        cell: str | type[nn.Module] = "gru",
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.0,
        pooling: str | None = "mean",
        n_patches: int | None = None,
        cell_options: dict[str, Any] | None = None,
    ):
        super().__init__()
        n_pixels = patch_size[0] * patch_size[1]
        size = 2 * hidden_size

        def stacks(first: int) -> nn.ModuleList:
            return nn.ModuleList(
                RecurrentStack(
                    cell,
                    first if i == 0 else size,
                    hidden_size,
                    bidirectional=True,
                    dropout=dropout,
                    cell_options=cell_options,
                )
                for i in range(num_layers)
            )

        self.columns, self.rows = stacks(n_channels * n_pixels), stacks(size)
        self.pooling, self.n_outputs = pooling, n_outputs
        self.attention = AttentionPooling(size) if pooling == "attention" else None
        self.head = nn.Linear(
            size * (n_patches or 1) if pooling == "flatten" else size,
            n_outputs * (n_pixels if pooling is None else 1),
        )

    def forward(self, patches: Tensor, grids: Grids) -> Tensor:
        """Outputs ``(n_images, n_outputs)``, or ``(n_pixels, n_outputs)`` without pooling.

        Parameters
        ----------
        patches : Tensor of shape (n_patches, n_pixels_of_patch * n_channels)
            In stacked order.
        grids : Grids
        """
        states = self.states(patches, grids)
        if self.pooling is not None:
            return self.head(self.pooled(states, grids))
        outputs = grids.images.map(self.head, states)
        return grids.to_pixels(outputs.unflatten(1, (-1, self.n_outputs)))

    def states(self, patches: Tensor, grids: Grids) -> Tensor:
        """States of the last layer, ``(n_patches, 2 * hidden_size)`` in stacked order."""
        x = patches.index_select(0, grids.stacked_to_columns)
        for i, (columns, rows) in enumerate(zip(self.columns, self.rows, strict=True)):
            x = x if i == 0 else grids.to_columns(x)
            x, _ = columns(x, grids.columns, need_last=False)
            x, _ = rows(grids.to_rows(x), grids.rows, need_last=False)
        return grids.to_stacked(x)

    def pooled(self, states: Tensor, grids: Grids) -> Tensor:
        """One vector for each image."""
        if self.attention is not None:
            return self.attention(states, grids.images)
        if self.pooling == "flatten":
            flat = states.reshape(-1, self.head.in_features)
            return pad(flat, (0, 0, 0, len(grids) - len(flat)))
        return (mean_pool if self.pooling == "mean" else max_pool)(states, grids.images)
