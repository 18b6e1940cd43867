"""Cells that compose the children of a tree's node: one class each, and by name.

In the equations a node j has the input x and children k = 1, 2, ... with states h_k (and c_k).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from sklseq.nn.trees.kernels import ChildSumLSTMStep, NaryLSTMStep
from sklseq.nn.trees.levels import Children

__all__ = ["COMPOSITIONS", "TreeCell"]


# Scale of the random part of weights that start as a mean.
_NOISE = 0.1


class TreeCell(nn.Module):
    """A cell; a new one fills in `leaf` and `compose`.

    Parameters
    ----------
    input_size, hidden_size : int
    arity : int
        Largest number of children. A cell that takes any number sets `any_arity` and ignores it.
    rank : int or None, default=None
        Rank of the tensors of those cells that have some; None is full.

    Attributes
    ----------
    state_size : int
        Numbers in a node's state; the first `hidden_size` of them are what it shows.
    """

    any_arity = False
    n_projections = 1

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__()
        self.hidden_size, self.rank = hidden_size, rank
        self.arity = None if self.any_arity else max(arity, 1)
        self.state_size = hidden_size
        self.inputs = nn.Linear(input_size, self.n_projections * hidden_size)

    def project(self, x: Tensor) -> Tensor:
        """What depends on the inputs ``(n_nodes, input_size)`` alone, for all nodes at once."""
        return self.inputs(x)

    def leaf(self, x: Tensor) -> Tensor:
        """States ``(n, state_size)`` of nodes without children, from their projected inputs."""
        raise NotImplementedError

    def compose(self, x: Tensor, children: Children) -> Tensor:
        """States ``(n, state_size)`` of nodes from projected inputs and children."""
        raise NotImplementedError

    def _weight(self, *shape: int) -> nn.Parameter:
        """Uniform, of unit gain from all inputs together (the size before the last)."""
        bound = math.sqrt(3 / shape[-2])
        return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


class TreeRNN(TreeCell):
    """Plain recursive network: h = tanh(W x + sum_k U_k h_k + b).

    References
    ----------
    .. [1] Socher et al. (2011). "Parsing natural scenes and natural language with recursive neural
       networks". ICML, equation 3.
    """

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__(input_size, hidden_size, arity, rank)
        # At first about the mean of the children: what is at the leaves reaches the root.
        n = max(arity, 1)
        self.w = self._weight(n * hidden_size, hidden_size)
        with torch.no_grad():
            self.w.mul_(_NOISE).add_(torch.eye(hidden_size).repeat(n, 1) / n)
            self.inputs.bias.zero_()  # added at each level, it would drown the children

    def leaf(self, x: Tensor) -> Tensor:
        return x.tanh()

    def compose(self, x: Tensor, children: Children) -> Tensor:
        assert self.arity is not None
        v = children.spread(children.states, self.arity).flatten(1)
        return torch.addmm(x, v, self.w).tanh()


class TensorNetwork(TreeRNN):
    """Recursive neural tensor network: h = tanh(v' T v / n + U v + W x + b).

    v has all h_k side by side and n numbers. The n, which the paper does not have, gives tensor
    and matrix the same weight: a solver that moves each entry by about its learning rate moves n
    times as many of the tensor's, and without it the states of large trees soon saturate.

    With `rank` the tensor's slice of unit i is sum_r R_ri P_r Q_r', without the n, so that it
    costs as little as a matrix.

    References
    ----------
    .. [1] Socher et al. (2013). "Recursive deep models for semantic compositionality over a
       sentiment treebank". EMNLP, section 4.3.
    """

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__(input_size, hidden_size, arity, rank)
        n = len(self.w)
        # Small at first: products of states add to what the matrix gives.
        if rank is None:
            self.tensor = nn.Parameter(_NOISE * torch.empty(n, n * hidden_size).uniform_(-1, 1))
        else:
            self.left, self.right = self._weight(n, rank), self._weight(n, rank)
            self.out = self._weight(rank, hidden_size)

    def compose(self, x: Tensor, children: Children) -> Tensor:
        assert self.arity is not None
        v = children.spread(children.states, self.arity).flatten(1)
        linear = torch.addmm(x, v, self.w)
        if self.rank is not None:
            return (linear + ((v @ self.left) * (v @ self.right)) @ self.out).tanh()
        products = (v @ self.tensor / v.shape[1]).view(len(v), self.hidden_size, v.shape[1])
        return (linear + torch.bmm(products, v[:, :, None])[:, :, 0]).tanh()


class MatrixVector(TreeCell):
    """MV-RNN: a node has a vector and a matrix, by which its siblings' vectors are multiplied.

    h = tanh(sum_k U_k (sum_{l != k} M_l) h_k + W x + b) and M = sum_k V_k M_k; an only child's
    vector stays. With two children these are the paper's equations. A leaf has h = tanh(W x + b)
    and M = I + L(x), of rank `rank` if given.

    References
    ----------
    .. [1] Socher et al. (2012). "Semantic compositionality through recursive matrix-vector
       spaces". EMNLP, equations 2 and 3.
    """

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__(input_size, hidden_size, arity, rank)
        self.state_size = hidden_size + hidden_size**2
        self.matrix_size = hidden_size**2 if rank is None else 2 * rank * hidden_size
        self.matrices = nn.Linear(input_size, self.matrix_size)
        with torch.no_grad():
            self.matrices.weight.mul_(0.1)
        self.w = self._weight(max(arity, 1) * hidden_size, hidden_size)
        mean = torch.eye(hidden_size).repeat(1, max(arity, 1)) / max(arity, 1)
        self.w_matrix = nn.Parameter(mean + 0.01 * torch.randn_like(mean))

    def project(self, x: Tensor) -> Tensor:
        return torch.cat([self.inputs(x), self.matrices(x)], dim=1)

    def leaf(self, x: Tensor) -> Tensor:
        size = self.hidden_size
        if self.rank is None:
            matrix = x[:, size:].view(-1, size, size)
        else:
            left, right = x[:, size:].view(-1, 2, size, self.rank).unbind(1)
            matrix = torch.bmm(left, right.transpose(1, 2))
        matrix = matrix + torch.eye(size, dtype=x.dtype, device=x.device)
        return torch.cat([x[:, :size].tanh(), matrix.flatten(1)], dim=1)

    def compose(self, x: Tensor, children: Children) -> Tensor:
        size, states, n = self.hidden_size, children.states, children.n_nodes
        assert self.arity is not None
        h, m = states[:, :size], states[:, size:]
        others = (children.of_parent(children.sum(m)) - m).view(-1, size, size)
        changed = torch.bmm(others, h[:, :, None])[:, :, 0]
        changed = torch.where(children.of_parent(children.counts) == 1, h, changed)
        v = children.spread(changed, self.arity).flatten(1)
        side = children.spread(m, self.arity).view(n, self.arity * size, size)
        matrix = torch.matmul(self.w_matrix, side)
        return torch.cat([torch.addmm(x[:, :size], v, self.w).tanh(), matrix.flatten(1)], dim=1)


class ChildSumLSTM(TreeCell):
    """Child-sum TreeLSTM: any number of children, whose order does not count.

    With s = sum_k h_k: i, o = sigmoid(W x + U s + b), u = tanh(W x + U s + b), a forget gate of
    each child f_k = sigmoid(W x + U h_k + b), c = i u + sum_k f_k c_k, h = o tanh(c).

    References
    ----------
    .. [1] Tai, Socher and Manning (2015). "Improved semantic representations from tree-structured
       long short-term memory networks". ACL, equations 2 to 8.
    """

    any_arity = True
    n_projections = 4

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__(input_size, hidden_size, arity, rank)
        self.state_size = 2 * hidden_size
        self.w = self._weight(hidden_size, 3 * hidden_size)
        self.w_forget = self._weight(hidden_size, hidden_size)
        _remember(self.inputs, hidden_size)

    def leaf(self, x: Tensor) -> Tensor:
        i, o, u, _ = x.chunk(4, dim=1)
        c = i.sigmoid() * u.tanh()
        return torch.cat([o.sigmoid() * c.tanh(), c], dim=1)

    def compose(self, x: Tensor, children: Children) -> Tensor:
        return ChildSumLSTMStep.apply(x, children.states, children.parents, self.w, self.w_forget)


class NaryLSTM(TreeCell):
    """N-ary TreeLSTM: each position among the siblings has weights of its own.

    As the child-sum TreeLSTM with sum_k U_k h_k in place of U s, and forget gates
    f_k = sigmoid(W x + sum_l U_kl h_l + b) that see all children.

    References
    ----------
    .. [1] Tai, Socher and Manning (2015). "Improved semantic representations from tree-structured
       long short-term memory networks". ACL, equations 9 to 14.
    """

    n_projections = 4

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__(input_size, hidden_size, arity, rank)
        arity = max(arity, 1)
        self.state_size = 2 * hidden_size
        self.w = self._weight(arity * hidden_size, (3 + arity) * hidden_size)
        _remember(self.inputs, hidden_size)

    def leaf(self, x: Tensor) -> Tensor:
        i, o, u, _ = x.chunk(4, dim=1)
        c = i.sigmoid() * u.tanh()
        return torch.cat([o.sigmoid() * c.tanh(), c], dim=1)

    def compose(self, x: Tensor, children: Children) -> Tensor:
        assert self.arity is not None
        return NaryLSTMStep.apply(x, children.states, children.slots(self.arity), self.w)


class ChildSumGRU(TreeCell):
    """Child-sum GRU: any number of children, whose order does not count.

    With s = sum_k h_k: z = sigmoid(W x + U s + b), r_k = sigmoid(W x + U h_k + b),
    n = tanh(W x + U sum_k r_k h_k + b) and h = (1 - z) n + z mean_k h_k. The mean, where the
    paper has the sum, keeps states within [-1, 1] at any number of children.

    References
    ----------
    .. [1] Kokkinos and Potamianos (2017). "Structural attention neural networks for improved
       sentiment analysis". EACL, equations 5 to 8.
    """

    any_arity = True
    n_projections = 3

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__(input_size, hidden_size, arity, rank)
        self.w_update, self.w_reset, self.w_new = (
            self._weight(hidden_size, hidden_size) for _ in range(3)
        )

    def leaf(self, x: Tensor) -> Tensor:
        z, _, n = x.chunk(3, dim=1)
        return (1 - z.sigmoid()) * n.tanh()

    def compose(self, x: Tensor, children: Children) -> Tensor:
        z, r, n = x.chunk(3, dim=1)
        h = children.states
        total = children.sum(h)
        update = torch.addmm(z, total, self.w_update).sigmoid()
        reset = torch.addmm(children.of_parent(r), h, self.w_reset).sigmoid()
        new = torch.addmm(n, children.sum(reset * h), self.w_new).tanh()
        return torch.lerp(new, total / children.counts, update)


class NaryGRU(TreeCell):
    """N-ary GRU: each position has its weights, and its share in the state.

    With v all h_k side by side: r = sigmoid(W x + U v + b), n = tanh(W x + U (r v) + b), and h is
    the mean of n and the h_k, weighted for each unit by the softmax of W x + U v + b over them.

    References
    ----------
    .. [1] Chen et al. (2015). "Sentence modeling with gated recursive neural network". EMNLP,
       equations 3 to 8.
    """

    n_projections = 3

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__(input_size, hidden_size, arity, rank)
        arity = max(arity, 1)
        n = arity * hidden_size
        self.w_reset, self.w_new = self._weight(n, n), self._weight(n, hidden_size)
        self.w_share = self._weight(n, (arity + 1) * hidden_size)

    def leaf(self, x: Tensor) -> Tensor:
        z, _, n = x.chunk(3, dim=1)
        return z.sigmoid() * n.tanh()

    def compose(self, x: Tensor, children: Children) -> Tensor:
        assert self.arity is not None
        size, arity, n_nodes = self.hidden_size, self.arity, children.n_nodes
        z, r, n = x.chunk(3, dim=1)
        h = children.spread(children.states, arity)
        v = h.flatten(1)
        reset = ((v @ self.w_reset).view(n_nodes, arity, size) + r[:, None]).sigmoid()
        new = torch.addmm(n, (reset * h).flatten(1), self.w_new).tanh()
        logits = (v @ self.w_share).view(n_nodes, arity + 1, size)
        # The input moves the share of what is new against the children.
        logits = torch.cat([logits[:, :1] + z[:, None], logits[:, 1:]], dim=1)
        empty = (children.slots(arity) == len(children.states)).view(n_nodes, arity, 1)
        logits = torch.cat([logits[:, :1], logits[:, 1:].masked_fill(empty, -torch.inf)], dim=1)
        share = logits.softmax(dim=1)
        return (share * torch.cat([new[:, None], h], dim=1)).sum(dim=1)


class ChildSumMLP(TreeCell):
    """Layers before and after the sum over any number of children, whose order does not count.

    s = sum_k gelu(W x + U h_k + b), [g, u] = V gelu(W x + U s + b) + c and h = norm(sigmoid(g) u),
    norm a layer normalization. A function of a set that one layer cannot compute, such as a
    median or a sum modulo ten, is within its reach.

    References
    ----------
    .. [1] Zaheer et al. (2017). "Deep sets". NeurIPS, theorem 2.
    .. [2] Shen et al. (2019). "Ordered memory". NeurIPS, section 3.3 (the gated cell).
    """

    any_arity = True
    n_projections = 4

    def __init__(self, input_size: int, hidden_size: int, arity: int, rank: int | None = None):
        super().__init__(input_size, hidden_size, arity, rank)
        wide = 2 * hidden_size
        self.w_child, self.w_sum = self._weight(hidden_size, wide), self._weight(wide, wide)
        self.out = nn.Linear(wide, 2 * hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def leaf(self, x: Tensor) -> Tensor:
        gate, new = self.out(gelu(x.chunk(2, dim=1)[1])).chunk(2, dim=1)
        return self.norm(gate.sigmoid() * new)

    def compose(self, x: Tensor, children: Children) -> Tensor:
        of_child, of_sum = x.chunk(2, dim=1)
        each = gelu(torch.addmm(children.of_parent(of_child), children.states, self.w_child))
        both = torch.addmm(of_sum, children.sum(each), self.w_sum)
        gate, new = self.out(gelu(both)).chunk(2, dim=1)
        return self.norm(gate.sigmoid() * new)


def _remember(inputs: nn.Linear, hidden_size: int) -> None:
    """Forget gates start open, so that what is deep in a tree reaches the root."""
    with torch.no_grad():
        inputs.bias[3 * hidden_size :] = 1.0


COMPOSITIONS: dict[str, type[TreeCell]] = {
    "rnn": TreeRNN,
    "mv": MatrixVector,
    "rntn": TensorNetwork,
    "childsum-lstm": ChildSumLSTM,
    "lstm": NaryLSTM,
    "childsum-gru": ChildSumGRU,
    "gru": NaryGRU,
    "childsum-mlp": ChildSumMLP,
}
"""Cells by name."""
