"""What displays share: new axes, a second scale on the right, styles that the user may override."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["add_right_axes", "line_style", "new_axes", "right_axes"]

# Marks the right-hand axes, so that a second display on the same axes finds them.
_RIGHT_GID = "sklseq-right-axes"


def new_axes() -> Axes:
    """Axes of a new figure."""
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def line_style(kwargs: dict[str, Any] | None, **defaults: Any) -> dict[str, Any]:
    """Let the user's style win, also where it is given by an alias such as `c` or `ls`."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(kwargs or {}, Line2D)}


def right_axes(ax: Axes) -> Axes | None:
    """Return the axes that an earlier display put on top of `ax`, if any."""
    place = ax.get_position().bounds
    for other in ax.figure.axes:
        if other.get_gid() == _RIGHT_GID and other.get_position().bounds == place:
            return other
    return None


def add_right_axes(ax: Axes, label: str) -> Axes:
    """Put axes with a scale of their own behind `ax`."""
    right = ax.twinx()
    right.set_gid(_RIGHT_GID)
    right.set_ylabel(label)
    # matplotlib draws it above `ax`, whose legend the scores would then cross.
    right.set_zorder(ax.get_zorder() - 1)
    right.patch.set_visible(True)
    ax.patch.set_visible(False)
    return right
