"""Networks that predict how a sequence goes on: its next step, or its end."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

from sklseq.nn.layers.likelihoods import Bernoulli, Gaussian, Likelihood
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.carried import Carried
from sklseq.nn.recurrent.network import RecurrentNetwork

__all__ = ["OUTPUTS", "START", "LanguageNetwork", "Prompt"]

OUTPUTS = ("symbols", "labels", "values")
# What stands before the first symbol; before the first vector stands one of NaN.
START = -1


class Prompt(NamedTuple):
    """What n sequences begin with, all of them with as many steps."""

    carried: Carried
    """What was read, without the last step."""
    last: Tensor
    """The last step, which is the start where nothing else was given."""
    context: Tensor | None


class LanguageNetwork(RecurrentNetwork):
    """Distribution of the next step of a sequence, or of its end, after each step (Elman 1990).

    A sequence of T steps is T + 1 events, each a step or the end given all before it, so that the
    sum of their log-probabilities is that of the sequence. What precedes the first step is the
    start, a vector that is learned. Of sequences without a step there are none: after the start
    an end has probability zero.

    Outputs for an event are the logit of the end (`END`) and

    - of "symbols" the logits of the symbols 1, 2, ... and, last, of the unknown symbol;
    - of "labels" the logit of each, which are independent given the steps before;
    - of "values" the mean of each, around which they are normal, with deviations that are learned.

    Of the last two kinds the end is a choice of its own, and the rest given that there is none.

    Parameters
    ----------
    output : {"symbols", "labels", "values"}
    n_features : int
        Features of a step; of symbols their number with the unknown one, which is read as 0.
    n_outputs : int
        ``n_features + 1``.
    embedding_size : int or None, default=None
    **settings
        As of `RecurrentNetwork`.
    """

    def __init__(
        self,
        *,
        output: str,
        n_features: int,
        n_outputs: int,
        embedding_size: int | None = None,
        **settings: Any,
    ):
        super().__init__(
            n_features=n_features,
            n_outputs=n_outputs,
            embedding_size=embedding_size,
            **settings,
        )
        if output not in OUTPUTS or (output == "symbols") != (embedding_size is not None):
            raise ValueError(f"output={output!r} with embedding_size={embedding_size}.")
        self.n_values = n_features
        self.start_vector = nn.Parameter(torch.zeros(embedding_size or n_features))
        self.likelihood: Likelihood | None = None
        if output == "labels":
            self.likelihood = Bernoulli(n_features)
        elif output == "values":
            self.likelihood = Gaussian(n_features, "diagonal")

    # -- reading ---------------------------------------------------------------------------

    def embedded(self, steps: Tensor) -> Tensor:
        """Vectors of steps, the learned one for the start."""
        begins = self._begins(steps)[:, None]
        if self.embedding is not None:
            steps = self.embedding(steps.clamp(min=0))
        return torch.where(begins, self.start_vector, steps)

    @staticmethod
    def _begins(steps: Tensor) -> Tensor:
        """Which of the steps stand for the start."""
        return steps < 0 if steps.ndim == 1 else steps[:, 0].isnan()

    def starts(self, n: int) -> Tensor:
        """The starts of n sequences."""
        if self.embedding is not None:
            return torch.full((n,), START, device=self.start_vector.device)
        return self.start_vector.new_full((n, self.n_values), torch.nan)

    def forward(
        self,
        steps: Tensor,
        packing: Packing,
        context: Tensor | None = None,
        carried: Carried | None = None,
    ) -> Tensor:
        """Outputs ``(sum of lengths, n_outputs)`` for what follows each step.

        Parameters are as of `RecurrentNetwork.forward`. Where nothing was read before, sequences
        begin at their start, which is not among the steps.
        """
        carried = Carried() if carried is None else carried
        if carried.state is None:
            ends, carried.ends = carried.ends, False
            n = len(packing)
            alone = Packing(np.ones(n, dtype=np.int64), steps.device)
            self.read_on(self.starts(n), alone, context, carried)
            carried.ends = ends
        return super().forward(steps, packing, context, carried)

    # -- events ----------------------------------------------------------------------------

    def outputs(
        self,
        events: Tensor,
        packing: Packing,
        context: Tensor | None = None,
        carried: Carried | None = None,
    ) -> Tensor:
        """Outputs ``(sum of lengths, n_outputs)`` for each event.

        Parameters
        ----------
        events : Tensor of shape (sum of lengths, 2) or (sum of lengths, 2 * n_features + 1)
            Of each sequence the start and all its steps, and beside each what follows: a symbol
            (of the outputs), or whether it is the end, and the values if it is not.
        packing, context, carried
            As of `RecurrentNetwork.forward`.
        """
        return self._outputs(self._before(events), packing, context, carried)

    def log_probs(
        self,
        events: Tensor,
        packing: Packing,
        context: Tensor | None = None,
        carried: Carried | None = None,
    ) -> Tensor:
        """Log-probability ``(sum of lengths,)`` of each event given those before, in nats."""
        outputs = self.outputs(events, packing, context, carried)
        return packing.map(self._log_prob, outputs, events)

    def _log_prob(self, outputs: Tensor, events: Tensor) -> Tensor:
        if self.likelihood is None:
            return -cross_entropy(outputs, events[:, 1], reduction="none")
        ends, after = events[:, self.n_values] > 0, events[:, self.n_values + 1 :]
        goes_on = logsigmoid(-outputs[:, 0]) + self.likelihood.log_prob(outputs[:, 1:], after)
        return torch.where(ends, logsigmoid(outputs[:, 0]), goes_on)

    def _before(self, events: Tensor) -> Tensor:
        return events[:, 0] if self.likelihood is None else events[:, : self.n_values]

    def _outputs(
        self, steps: Tensor, packing: Packing, context: Tensor | None, carried: Carried | None
    ) -> Tensor:
        """Outputs of what follows each of the steps, starts among them."""
        outputs = super().forward(steps, packing, context, carried)
        end = outputs[:, 0].masked_fill(self._begins(steps), -torch.inf)
        return torch.cat([end[:, None], outputs[:, 1:]], dim=1)

    def initialize(self, events: Tensor, weight: Tensor) -> None:
        """Start from the frequencies of symbols or labels; `weight` are those of the events."""
        output: Any = self.head if isinstance(self.head, nn.Linear) else self.head.output
        n = weight.sum()
        if self.likelihood is None:
            counts = torch.zeros_like(output.bias).index_add_(0, events[:, 1], weight)
            # Everything may follow, were it seen or not.
            output.bias.copy_(((counts + 1) / (n + len(counts))).log())
            return
        ends, after = events[:, self.n_values], events[:, self.n_values + 1 :]
        steps = weight * (1 - ends)
        output.bias[0] = ((weight @ ends + 1) / (n + 2)).logit()
        output.bias[1:] = self.likelihood.initial_parameters(after, (steps / steps.sum())[:, None])

    # -- going on --------------------------------------------------------------------------

    def prompted(self, steps: Tensor, n: int, context: Tensor | None) -> Prompt:
        """What n sequences begin with, once it was read.

        Parameters
        ----------
        steps : Tensor of shape (n_steps, n) or (n_steps, n, n_features)
            The first steps of each; may be none.
        n : int
        context : Tensor of shape (n, n_context) or None
        """
        last, carried = self.starts(n), Carried()
        alone = Packing(np.ones(n, dtype=np.int64), last.device)
        for step in steps:
            self.read_on(last, alone, context, carried)
            last = step
        return Prompt(carried, last, context)

    def next(self, last: Tensor, before: Carried, context: Tensor | None) -> tuple[Tensor, Carried]:
        """Outputs ``(n, n_outputs)`` for what follows a last step, and what is read then."""
        alone = Packing(np.ones(len(last), dtype=np.int64), last.device)
        after = Carried(before.state)
        return self._outputs(last, alone, context, after), after

    def start(self, memory: Prompt, width: int) -> Carried | None:
        """For `StepModel`: nothing but the prompt was read."""
        return None

    def step(
        self, symbols: Tensor, state: Carried | None, memory: Prompt
    ) -> tuple[Tensor, Carried]:
        """For `StepModel`; the unknown symbol does not follow."""
        context = memory.context
        n = len(memory.last)
        of_row = torch.arange(n, device=symbols.device).repeat_interleave(len(symbols) // n)
        if context is not None:
            context = context.index_select(0, of_row)
        if state is None:
            symbols, state = memory.last.index_select(0, of_row), memory.carried.take(of_row)
        outputs, state = self.next(symbols, state, context)
        log_probs = outputs.log_softmax(dim=1)
        log_probs[:, -1] = -torch.inf
        return log_probs, state

    def reorder(self, state: Carried, index: Tensor) -> Carried:
        """For `StepModel`."""
        return state.take(index)

    def draw(
        self, memory: Prompt, uniforms: Tensor, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Vectors that follow the prompts, each drawn from what may follow those before.

        Parameters
        ----------
        memory : Prompt
            Of n sequences.
        uniforms : Tensor of shape (n, max_length, 1 + n_features)
            Numbers between 0 and 1. A sequence depends on its own numbers alone.
        temperature : float, default=1.0
            Logits are divided by it, and variances multiplied.

        Returns
        -------
        Tensor of shape (n, n_steps, n_features)
        Tensor of int of shape (n,)
            Number of steps of each sequence; what comes after them are any numbers.
        """
        assert self.likelihood is not None
        last, carried = memory.last, memory.carried
        going = torch.ones(len(last), dtype=torch.bool, device=last.device)
        lengths, steps = going.new_zeros(len(last), dtype=torch.int64), []
        for t in range(uniforms.shape[1]):
            outputs, carried = self.next(last, carried, memory.context)
            going = going & (uniforms[:, t, 0] >= (outputs[:, 0] / temperature).sigmoid())
            if not going.any():
                break
            last = self._drawn(outputs[:, 1:], uniforms[:, t, 1:], temperature)
            lengths += going
            steps.append(last)
        return torch.stack(steps or [last], dim=1), lengths

    def _drawn(self, parameters: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        assert self.likelihood is not None
        if isinstance(self.likelihood, Bernoulli):
            return self.likelihood.draw(parameters / temperature, uniform)
        drawn = self.likelihood.draw(parameters, uniform)
        return parameters + temperature**0.5 * (drawn - parameters)
