"""Running a cell over trees in tiles: the same results to the bit in any company."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.data import Levels
from sklseq.nn.layers.tiles import in_tiles
from sklseq.nn.trees.levels import Cell, Children, RecursivePlan, TreePlan

__all__ = ["INFERENCE", "TiledPlan"]

Index = NDArray[np.int64]

# Nodes of a tile: fewer for larger cells, where a call costs its rows rather than its operations.
# At 3,400 / n_parameters**(1/3) many trees take up to 1.25 times whole levels, and a tree alone up
# to 3 times (measured, 5,600 to 1.4 million parameters). States of matrices cost as parameters do.
# Whole dozens and multiples of 32, as for other rows: see `sklseq.training.rows.dense`.
_TILE, _FEWEST, _MOST, _GRID = 3400, 96, 192, 96
# Rows of a tile where rows depend on nothing else.
_ROWS = 96
# Tiles whose index vectors are made at once: those of a long chain, a tile each node, take memory.
_AT_ONCE = 1024
# A GPU is filled by more.
_ON_GPU = 16


class TiledPlan(TreePlan):
    """Tiles of nodes, for inference.

    Every kernel is called for a whole tile, so a tree has the same results to the bit alone and
    in any company. What a tile has room for beyond its nodes and children repeats one of them;
    results of repeated nodes are dropped.
    """

    def each(self, function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
        """As `TreePlan.each`, in tiles."""
        return in_tiles(function, *tensors, size=self._on_device(_ROWS))

    def _tile_size(self, cell: Cell) -> int:
        work = sum(p.numel() for p in cell.parameters())
        work *= max(1, cell.state_size // (2 * cell.hidden_size))
        size = _GRID * round(_TILE / max(work, 1) ** (1 / 3) / _GRID)
        return self._on_device(min(max(size, _FEWEST), _MOST))

    def _on_device(self, size: int) -> int:
        return size if self.device.type == "cpu" else _ON_GPU * size

    def up(self, cell: Cell, x: Tensor, kinds: Tensor | None = None) -> Tensor:
        """As `TreePlan.up`."""
        size, n_nodes, at_leaves = self._tile_size(cell), int(self.levels.sizes.sum()), self.leaves
        projected = in_tiles(cell.project, x, size=size)
        if kinds is None:
            leaves = in_tiles(cell.leaf, projected.index_select(0, at_leaves), size=size)
        else:
            leaves = in_tiles(cell.leaf, projected, size=size)
            leaves = leaves.index_select(0, kinds.index_select(0, at_leaves))
        states = leaves.new_empty(n_nodes + 1, leaves.shape[1])  # the last is never read
        states.index_copy_(0, at_leaves, leaves)
        for part in _upward(self.levels, size, cell.arity):
            tiles = zip(*self._parts(part), strict=True)
            for row, node, children, parents, positions, slots in tiles:
                row = row if kinds is None else kinds.index_select(0, row)
                below = Children(
                    states.index_select(0, children),
                    parents,
                    positions,
                    size,
                    None if cell.arity is None else slots,
                )
                states.index_copy_(0, node, cell.compose(projected.index_select(0, row), below))
        return states[:n_nodes]

    def down(self, cell: Cell, x: Tensor) -> Tensor:
        """As `TreePlan.down`."""
        size, n_nodes, n_roots = self._tile_size(cell), len(x), self.sizes[0]
        projected = in_tiles(cell.project, x, size=size)
        roots = in_tiles(cell.leaf, projected[:n_roots], size=size)
        states = roots.new_empty(n_nodes + 1, roots.shape[1])
        states[:n_roots] = roots
        only = torch.arange(size, device=self.device)
        for part in _downward(self.levels, size):
            for row, node, parents, positions in zip(*self._parts(part), strict=True):
                above = Children(states.index_select(0, parents), only, positions, size)
                states.index_copy_(0, node, cell.compose(projected.index_select(0, row), above))
        return states[:n_nodes]

    def _parts(self, tiles: list[tuple[Index, list[int]]]) -> Iterator[tuple[Tensor, ...]]:
        """Each index vector as a tensor for each tile."""
        return (self._tensor(index).split(sizes) for index, sizes in tiles)


def _downward(levels: Levels, size: int) -> Iterator[list[tuple[Index, list[int]]]]:
    """All nodes but the roots, after their parents: rows, nodes, parents and positions of tiles.

    The tiles come some at a time, each with the sizes of its vectors.
    """
    n_roots, parents = int(levels.sizes[0]), levels.parent_numbers
    cuts, n_below = [0], len(parents)
    while (start := cuts[-1]) < n_below:
        # Parents that stand in the tile itself are not computed yet.
        late = parents[start + 1 : start + size] >= start + n_roots
        end = int(late.argmax()) + 1 if late.any() else size
        cuts.append(min(start + end, n_below))
    for first in range(0, len(cuts) - 1, _AT_ONCE):
        here = np.array(cuts[first : first + _AT_ONCE + 1])
        counts = np.diff(here)
        tile = np.repeat(np.arange(len(counts)), counts)
        nodes = np.arange(n_roots + here[0], n_roots + here[-1])
        places = size * tile + nodes - n_roots - here[tile]
        written = np.full(size * len(counts), n_roots + n_below)
        written[places] = nodes
        rows = np.zeros_like(written)
        rows[places] = nodes
        rows = np.maximum.accumulate(rows)  # the last node of a tile fills it up
        sizes = [size] * len(counts)
        index = (rows, written, parents[rows - n_roots], levels.positions[rows])
        yield [(values, sizes) for values in index]


def _upward(
    levels: Levels, size: int, arity: int | None
) -> Iterator[list[tuple[Index, list[int]]]]:
    """Inner nodes after their children: rows, nodes, children, parents, positions, slots of tiles.

    The tiles come some at a time, each with the sizes of its vectors.
    """
    n_nodes, n_roots = int(levels.sizes.sum()), int(levels.sizes[0])
    inner, starts, rooms = _schedule(levels, size)
    rank = np.empty(n_nodes, dtype=np.int64)
    rank[inner] = np.arange(len(inner))
    owner = rank[levels.parent_numbers]
    by_owner = np.argsort(owner, kind="stable")
    children, owner = by_owner + n_roots, owner[by_owner]
    bounds = np.append(starts, len(inner))
    for first in range(0, len(starts), _AT_ONCE):
        here = bounds[first : first + _AT_ONCE + 1]
        of_owners = slice(*np.searchsorted(owner, here[[0, -1]]))
        yield _index(
            inner[here[0] : here[-1]],
            here - here[0],
            rooms[first : first + _AT_ONCE],
            children[of_owners],
            owner[of_owners] - here[0],
            levels,
            (size, arity),
        )


def _index(
    inner: Index,
    bounds: Index,
    rooms: Index,
    children: Index,
    owner: Index,
    levels: Levels,
    shape: tuple[int, int | None],
) -> list[tuple[Index, list[int]]]:
    """The vectors of `_upward` for some tiles.

    The last row of a tile is nobody's: parent of the children that fill the room up.
    """
    (size, arity), n_nodes, starts = shape, int(levels.sizes.sum()), bounds[:-1]
    tile = np.repeat(np.arange(len(starts)), np.diff(bounds))
    row = np.arange(len(inner)) - starts[tile]
    rows = np.repeat(inner[starts], size)
    nodes = np.full(len(rows), n_nodes)
    rows[size * tile + row] = nodes[size * tile + row] = inner

    tile, row, position = tile[owner], row[owner], levels.positions[children]
    first = np.searchsorted(tile, np.arange(len(starts)))
    place = np.arange(len(children)) - first[tile]
    places = (np.cumsum(rooms) - rooms)[tile] + place
    taken = np.repeat(children[first], rooms)
    taken[places] = children
    owners = np.full(len(taken), size - 1)
    owners[places] = row
    positions = np.zeros_like(taken)
    positions[places] = position
    width = size * (arity or 0)
    slots = np.repeat(rooms, width)
    if arity is not None:
        slots[width * tile + arity * row + position] = place
    n_tiles, of_rooms = len(starts), rooms.tolist()
    return [
        (rows, [size] * n_tiles),
        (nodes, [size] * n_tiles),
        (taken, of_rooms),
        (owners, of_rooms),
        (positions, of_rooms),
        (slots, [width] * n_tiles),
    ]


def _schedule(levels: Levels, size: int) -> tuple[Index, Index, Index]:
    """Inner nodes tile by tile, the first of each tile, and the room of each for children.

    Of the nodes whose children are done, the deepest come first: the fewest tiles that there can
    be (Hu 1961, "Parallel sequencing and assembly line problems"). A tile has room for twice as
    many children as nodes; a node with more has one of its own, of room doubled until they fit.
    """
    n_roots, parents = int(levels.sizes[0]), levels.parent_numbers
    counts = np.bincount(parents, minlength=int(levels.sizes.sum()))
    above = np.append(np.full(n_roots, -1), parents)
    inner = np.flatnonzero(counts)
    waiting = np.bincount(above[inner] + 1, minlength=len(counts) + 1)[1:]
    # Nodes are numbered from the roots down: in descending order the deepest come first.
    ready = inner[waiting[inner] == 0][::-1]
    tiles, sizes, rooms = [inner[:0]], [], []
    while len(ready):
        ends = np.cumsum(counts[ready[: size - 1]])
        room, n = 2 * size, int(np.searchsorted(ends, 2 * size, "right"))
        if not n:
            room, n = room << int(np.ceil(np.log2(ends[0] / room))), 1
        tile, ready = ready[:n], ready[n:]
        tiles.append(tile)
        sizes.append(n)
        rooms.append(room)
        reached = above[tile]
        reached = reached[reached >= 0]
        np.subtract.at(waiting, reached, 1)
        complete = np.unique(reached[waiting[reached] == 0])
        if len(complete):
            ready = np.sort(np.concatenate([ready, complete[::-1]]))[::-1]
    starts = np.cumsum(sizes, dtype=np.int64) - np.array(sizes, dtype=np.int64)
    return np.concatenate(tiles), starts, np.array(rooms, dtype=np.int64)


INFERENCE: dict[str, type[TreePlan]] = {"levels": TiledPlan, "recursive": RecursivePlan}
"""Plans by name, for inference."""
