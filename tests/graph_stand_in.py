"""A stand-in for CUDA graphs on the CPU: torch's operations are noted once and done again.

As of a graph, none of Python runs again, addresses are fixed, a capture changes nothing by itself,
and what would make the processor wait for the device, or draw from its generator, is an error.
"""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklseq.nn.layers.randomness import noise_to_come

aten = torch.ops.aten
WAITS = {
    aten._local_scalar_dense.default,
    aten.is_nonzero.default,
    aten.equal.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.lift_fresh.default,  # new tensors of numbers: they would be copied to the device
}

# What is only made room for keeps what is written there later.
ROOM = {
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.empty_strided.default,
    aten.new_empty.default,
    aten.new_empty_strided.default,
}


class Operations(TorchDispatchMode):
    """Notes all operations, and what those that write met before."""

    def __init__(self):
        super().__init__()
        self.noted, self.before = [], {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in WAITS or torch.Tag.nondeterministic_seeded in func.tags:
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        if func in (aten.index.Tensor, aten.index_put_.default):
            assert all(i is None or i.dtype != torch.bool for i in args[1]), "a mask as index waits"
        given = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | kwargs
        for argument in func._schema.arguments:
            if argument.alias_info is not None and argument.alias_info.is_write:
                for tensor in tree_leaves(given.get(argument.name)):
                    if isinstance(tensor, Tensor) and id(tensor) not in self.before:
                        self.before[id(tensor)] = tensor, tensor.clone()
        result = func(*args, **kwargs)
        if not func.is_view and func not in ROOM:
            self.noted.append((func, args, kwargs, result))
        return result

    def undo(self):
        with torch.no_grad():
            for tensor, value in reversed(self.before.values()):
                tensor.copy_(value.view_as(tensor))  # it may have been squeezed in place

    def again(self):
        with torch.no_grad():
            for func, args, kwargs, result in self.noted:
                new = func(*args, **kwargs)
                for old, value in zip(tree_leaves(result), tree_leaves(new), strict=True):
                    if isinstance(old, Tensor) and old.data_ptr() != value.data_ptr():
                        old.copy_(value.view_as(old))


class Captures:
    """Captures for the CPU, counted."""

    def __init__(self):
        self.n_captures = self.n_replays = 0
        self.refused = []

    def __call__(self, function):
        operations = Operations()
        try:
            with noise_to_come(torch.device("cpu")) as draws, operations:
                result = function()
        except RuntimeError as error:
            self.refused.append(str(error))
            raise
        finally:
            operations.undo()
        self.n_captures += 1

        def replay():
            self.n_replays += 1
            for draw in draws:
                draw()
            operations.again()
            return result.clone()

        return replay
