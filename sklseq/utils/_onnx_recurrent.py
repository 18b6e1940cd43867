"""Recurrent networks in ONNX, written with its operators of recurrent layers.

torch's exporter would write a layer for sequences of one length, and of gated recurrent units
another layer than torch's. The operators read each sequence to its end.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sklseq.autoencoder import SequenceAutoencoder
from sklseq.data import Sequences
from sklseq.nn.recurrent.cells.torch_layers import TorchLayer
from sklseq.parts.losses import fitted_loss
from sklseq.parts.supervised import NeuralClassifier, NeuralRegressor
from sklseq.recurrent import RecurrentTransformer

__all__ = ["RecurrentExport"]

# Operator of each cell, where its gates stand in torch's weights, and its own settings.
_CELLS: dict[str, tuple[str, list[int], dict[str, Any]]] = {
    "rnn": ("RNN", [0], {}),
    "gru": ("GRU", [1, 0, 2], {"linear_before_reset": 1}),
    "lstm": ("LSTM", [0, 3, 1, 2], {}),
}
_OPSET, _IR_VERSION = 17, 8
# Settings of a network that stand between ONNX's operators of recurrent layers.
_BETWEEN = ("skip_connections", "normalization", "input_layer_sizes", "output_layer_sizes")


class _Graph:
    """Nodes and constants of a graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: Any, n_outputs: int = 1, **attributes: Any) -> Any:
        """Name of the result, or names of several; arrays among the inputs are constants."""
        from onnx import helper

        names = [self._name_of(value) for value in inputs]
        outputs = [f"{operator}_{len(self.nodes)}_{i}" for i in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, names, outputs, **attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def _name_of(self, value: Any) -> str:
        from onnx import numpy_helper

        if isinstance(value, str):
            return value
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def linear(self, x: str, layer: nn.Linear) -> str:
        """A linear map of the last axis."""
        y = self.add("MatMul", x, _array(layer.weight).T.copy())
        return y if layer.bias is None else self.add("Add", y, _array(layer.bias))


class RecurrentExport:
    """What of an estimator with a recurrent network is exported, and how.

    Parameters
    ----------
    estimator : classifier, regressor or transformer of sequences
        Fitted.
    """

    def __init__(self, estimator: Any):
        self.estimator, self.why = estimator, ""
        self.network = estimator.module_
        if isinstance(estimator, SequenceAutoencoder):
            self.network = self.network.encoder
        self.methods = self._known()

    def _known(self) -> list[str]:
        model = self.estimator
        if getattr(self.network, "feeds_back", False):
            self.why = "its outputs feed back; take the cell 'rnn', 'gru' or 'lstm'"
            return []
        layer = self.network.stack.forward_layers[0]
        between = [name for name in _BETWEEN if model._module_kwargs.get(name)]
        if hasattr(model, "vocabulary_"):
            self.why = "it reads symbols; fit it on one-hot steps"
        elif hasattr(model, "context_mean_"):
            self.why = "it takes context; append that to the features of all steps, and fit on X"
        elif hasattr(model, "_gaps"):
            self.why = "it reads missing values or times; impute, and leave times out"
        elif getattr(model, "carry_state", False):
            self.why = "its predictions go on from the training series; set carry_state=False"
        elif self.network.stack.noise.zoneout:
            self.why = "ONNX has no operator for zoneout"
        elif not isinstance(layer, TorchLayer):
            settings = {name: model._module_kwargs.get(name) for name in ("cell", "cell_options")}
            named = ", ".join(f"{name}={value!r}" for name, value in settings.items() if value)
            self.why = f"ONNX has no operator of {named}; take cell='rnn', 'gru' or 'lstm' as it is"
        elif self.network.stack.apart and len(self.network.stack.forward_layers) > 1:
            self.why = (
                "its directions do not meet between layers, which those of ONNX's recurrent "
                "operators do; fit with num_layers=1 or bidirectional=False"
            )
        elif between:
            self.why = f"{', '.join(between)} are not written between ONNX's recurrent operators"
        elif model._float_type(fresh=False) != "float32":
            self.why = "onnxruntime has recurrent layers of float32 alone; fit with that dtype"
        elif isinstance(model, NeuralClassifier):
            return ["predict_proba"]
        elif isinstance(model, NeuralRegressor) and not fitted_loss(model).is_linear:
            self.why = (
                f"its outputs with loss={model._fitted_loss!r} are not yet what is predicted; fit "
                "with 'squared_error', or 'quantile' at one level"
            )
        elif isinstance(model, NeuralRegressor):
            return ["predict"]
        elif hasattr(model, "transform"):
            return ["transform"]
        else:
            self.why = "it begins before the first step, which ONNX has no operator for"
        return []

    def inputs(self, X_sample: Any) -> dict[str, NDArray[Any]]:
        """Steps padded with zeros, and lengths."""
        sequences: Sequences = self.estimator._read_fitted(X_sample)
        lengths = sequences.lengths
        is_single = getattr(X_sample, "dtype", None) == np.float32
        dtype = np.float32 if is_single else np.float64
        padded = np.zeros((len(lengths), lengths.max(), sequences.steps.shape[1]), dtype)
        padded[_inside(lengths)] = sequences.steps
        return {"X": padded, "lengths": lengths.astype(np.int64)}

    def expected(self, method: str, X_sample: Any) -> NDArray[Any]:
        """Results of the estimator, of steps one after the other."""
        result = getattr(self.estimator, method)(X_sample)
        layout = self.estimator._read_fitted(X_sample).layout
        if not self.estimator._per_step or layout in ("series", "frame"):
            return np.asarray(result)
        return np.concatenate(list(result))

    def compared(self, found: NDArray[Any], rows: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Results of the model, as `expected` has them."""
        return found[_inside(rows["lengths"])] if self.estimator._per_step else found

    def model(self, method: str, inputs: dict[str, NDArray[Any]]) -> Any:
        """The ONNX model, whose numbers of sequences and steps are free."""
        from onnx import checker, helper

        graph, model = _Graph(), self.estimator
        output = self._result(graph)
        graph.nodes.append(helper.make_node("Identity", [output], [method]))
        n_features = inputs["X"].shape[2]
        shape = ["n", "steps", "outputs"] if model._per_step else ["n", "outputs"]
        if isinstance(model, NeuralRegressor) and model._n_target_dims == 1:
            shape = shape[:-1]
        is_double = isinstance(model, NeuralRegressor)
        of_x = helper.np_dtype_to_tensor_dtype(inputs["X"].dtype)
        of_result = helper.np_dtype_to_tensor_dtype(np.dtype("f8" if is_double else "f4"))
        result = helper.make_model(
            helper.make_graph(
                graph.nodes,
                f"{type(model).__name__}.{method}",
                [
                    helper.make_tensor_value_info("X", of_x, ["n", "steps", n_features]),
                    helper.make_tensor_value_info(
                        "lengths", helper.np_dtype_to_tensor_dtype(np.dtype("i8")), ["n"]
                    ),
                ],
                [helper.make_tensor_value_info(method, of_result, shape)],
                graph.constants,
            ),
            producer_name="sklseq",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        if isinstance(model, NeuralClassifier):
            helper.set_model_props(result, {"classes": json.dumps(model.classes_.tolist())})
        checker.check_model(result)
        return result

    # -- the graph -------------------------------------------------------------------------

    def _result(self, graph: _Graph) -> str:
        model, network = self.estimator, self.network
        double, single = _type("f8"), _type("f4")
        x = graph.add("Sub", graph.add("Cast", "X", to=double), model.feature_mean_)
        x = graph.add("Cast", graph.add("Div", x, model.feature_scale_), to=single)
        x = graph.add("Transpose", x, perm=[1, 0, 2])
        states, last = self._states(graph, x)
        output = self._pooled(graph, states, last)
        if not isinstance(model, RecurrentTransformer):
            output = graph.linear(output, network.head)
        if network.pooling is None:
            output = graph.add("Transpose", output, perm=[1, 0, 2])
        if isinstance(model, NeuralClassifier):
            if model._multilabel:
                return graph.add("Sigmoid", output)
            return graph.add("Softmax", output, axis=-1)
        if not isinstance(model, NeuralRegressor):
            return output
        output = graph.add("Mul", graph.add("Cast", output, to=double), model.target_scale_)
        output = graph.add("Add", output, model.target_mean_)
        one = model._n_target_dims == 1
        return graph.add("Squeeze", output, np.array([-1])) if one else output

    def _states(self, graph: _Graph, x: str) -> tuple[str, str]:
        """States ``(n_steps, n, size)`` of the last layer, and ``(n, size)`` when all was read."""
        stack = self.network.stack
        lengths = graph.add("Cast", "lengths", to=_type("i4"))
        last = x
        for i, forward in enumerate(stack.forward_layers):
            layers = [forward, *stack.backward_layers[i : i + 1]]
            operator, gates, settings = _CELLS[forward.cell]
            if getattr(forward.rnn, "nonlinearity", "tanh") == "relu":
                settings = {"activations": ["Relu"] * len(layers)}
            weights = zip(*(_weights(layer, gates) for layer in layers), strict=True)
            x, last, *_ = graph.add(
                operator,
                x,
                *(np.stack(of_directions) for of_directions in weights),
                lengths,
                n_outputs=3 if operator == "LSTM" else 2,
                hidden_size=forward.hidden_size,
                direction="bidirectional" if len(layers) == 2 else "forward",
                **settings,
            )
            x = graph.add("Transpose", x, perm=[0, 2, 1, 3])
            x = graph.add("Reshape", x, np.array([0, 0, -1]))
        last = graph.add("Transpose", last, perm=[1, 0, 2])
        return x, graph.add("Reshape", last, np.array([0, -1]))

    def _pooled(self, graph: _Graph, states: str, last: str) -> str:
        pooling = self.network.pooling
        if pooling is None:
            return states
        if pooling == "last":
            return last
        n_steps = graph.add("Gather", graph.add("Shape", states), np.array(0))
        time = graph.add("Range", np.array(0), n_steps, np.array(1))
        time = graph.add("Unsqueeze", time, np.array([1, 2]))
        ends = graph.add("Unsqueeze", "lengths", np.array([0, 2]))
        inside = graph.add("Less", time, ends)  # (n_steps, n, 1)
        nothing, lowest = np.float32(0), np.float32(-np.inf)
        if pooling == "max":
            masked = graph.add("Where", inside, states, lowest)
            return graph.add("ReduceMax", masked, axes=[0], keepdims=0)
        if pooling == "mean":
            total = graph.add("Where", inside, states, nothing)
            total = graph.add("ReduceSum", total, np.array([0]), keepdims=0)
            counts = graph.add("Unsqueeze", "lengths", np.array([1]))
            return graph.add("Div", total, graph.add("Cast", counts, to=_type("f4")))
        attention = self.network.attention
        hidden = graph.add("Tanh", graph.linear(states, attention.hidden))
        scores = graph.linear(hidden, attention.score)
        weights = graph.add("Softmax", graph.add("Where", inside, scores, lowest), axis=0)
        weighted = graph.add("Mul", weights, graph.add("Where", inside, states, nothing))
        return graph.add("ReduceSum", weighted, np.array([0]), keepdims=0)


def _weights(layer: Any, gates: list[int]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Weights of the input, of the state, and both biases, with the gates in ONNX's order."""
    rnn = layer.rnn
    parts = (rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0)
    of_input, of_state, *biases = (_ordered(_array(part), gates) for part in parts)
    return of_input, of_state, np.concatenate(biases)


def _ordered(array: NDArray[Any], gates: list[int]) -> NDArray[Any]:
    blocks = np.split(array, len(gates))
    return np.concatenate([blocks[gate] for gate in gates])


def _inside(lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which steps of padded sequences there are."""
    return np.arange(lengths.max()) < lengths[:, None]


def _array(parameter: Any) -> NDArray[Any]:
    return parameter.detach().cpu().numpy()


def _type(name: str) -> int:
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(np.dtype(name))
