"""Sequences that a language model draws: what they begin with, and how they are given back."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, check_scalar
from torch import Tensor

from sklseq.base.sequences import holds_vectors
from sklseq.data import (
    Sequences,
    Vocabulary,
    as_container,
    holds_texts,
    lowered,
    read_sequences,
    tokenized,
)
from sklseq.nn.decoding.sampling import sample
from sklseq.nn.decoding.search import Limits
from sklseq.nn.recurrent.language import LanguageNetwork
from sklseq.parts.context import scaled_context
from sklseq.parts.scaled_steps import unscaled
from sklseq.recurrent._events import check_labels
from sklseq.training.context import threads
from sklseq.training.placement import as_tensor, parameter_of
from sklseq.training.run import work_of

__all__ = ["SAMPLE", "SampleFormat"]

# Steps of a sample where nothing is said, at most.
_LONGEST = 1000
# Sequences that are drawn side by side: always as many, as results of one must not depend on
# others. Whole dozens, see `dispatch`.
_ROWS = 48


@dataclass(frozen=True)
class SampleFormat:
    """What a sequence looks like, as those of training do.

    Parameters
    ----------
    separator : str or None
        What stands between the symbols of a string; None for arrays of symbols.
    flat : bool
        Whether a step is one number or symbol, and not a vector.
    """

    separator: str | None
    flat: bool

    _stored: ClassVar[dict[str, Any]] = {"separator": "None or str", "flat": "bool"}

    @classmethod
    def of(cls, X: Any, sequences: Sequences, tokenizer: Any) -> Self:
        """That of training sequences, and as they were read."""
        if not sequences.symbolic:
            return cls(None, holds_vectors(X))
        separator = {None: "", "char": "", "word": " "}.get(tokenizer) if holds_texts(X) else None
        return cls(separator, True)

    def write(self, steps: NDArray[Any]) -> Any:
        """Steps, symbols or ``(n_steps, n_features)``, as such a sequence."""
        if self.separator is not None:
            return self.separator.join(steps.tolist())
        return steps[:, 0] if self.flat and steps.ndim == 2 else steps


def _read_prompts(model: Any, prompt: Any) -> tuple[Sequences, Sequences]:
    """What samples are to begin with, as the user has it, and as the network reads it.

    Where nothing is given, it is one sequence without steps.

    Raises
    ------
    ValueError
        If it is no sequence as in `fit`, or has a symbol that `fit` has not seen.
    """
    prompt = as_container(prompt)
    symbols = getattr(model, "vocabulary_", None)
    if prompt is None:
        steps = np.empty(0, np.int64) if symbols is not None else model.feature_mean_[None][:0]
        return (nothing := Sequences(steps, np.zeros(1, dtype=np.int64))), nothing
    if isinstance(prompt, str):
        prompt = [prompt]
    elif symbols is None and getattr(prompt, "ndim", 3) == (1 if model._format.flat else 2):
        prompt = [prompt]  # of one sequence
    if symbols is None:
        return _read_vectors(model, prompt)
    if model.tokenizer is not None:
        prompt = tokenized(prompt, model.tokenizer, model.lowercase)
    data = read_sequences(prompt, symbolic=True, name="prompt")
    if model.lowercase:
        data = data.with_steps(lowered(data.steps))
    codes = Vocabulary(symbols.tolist()).encode(data.steps)
    unknown = np.flatnonzero(codes == 0)
    if len(unknown) and not model._knows_unknown:
        i, step = data.locate(int(unknown[0]))
        strange = sorted({repr(symbol) for symbol in data.steps[unknown].tolist()})
        others = f" (of {len(strange)}: {', '.join(strange[:8])})" if len(strange) > 1 else ""
        raise ValueError(
            f"prompt, sequence {i}, step {step} is {data.steps[unknown[0]]!r}, which is not among "
            f"the {len(symbols)} symbols of fit{others}: leave it out, or let fit see unknown "
            "symbols by min_frequency=2."
        )
    return data, data.with_steps(codes)


def _read_vectors(model: Any, prompt: Any) -> tuple[Sequences, Sequences]:
    data = read_sequences(prompt, name="prompt")
    n_features = model._n_step_features
    if data.symbolic or data.steps.shape[1] != n_features:
        what = "symbols" if data.symbolic else f"steps of {data.steps.shape[1]} features"
        raise ValueError(
            f"prompt has {what}, but {type(model).__name__} was fitted on steps of {n_features} "
            "features. One prompt is an array of its steps; a list holds one for each sample."
        )
    if model._kind == "labels":
        check_labels(data, "prompt")
    return data, data.with_steps((data.steps - model.feature_mean_) / model.feature_scale_)


@dataclass(frozen=True)
class _Drawing:
    """How steps are drawn, each from what may follow those before.

    Parameters
    ----------
    temperature, top_k, top_p
        As of `sklseq.nn.decoding.sampling.sample`.
    max_length : int or None
        Most steps of a sequence, with those that it begins with; None for `n_more` after them.
    n_more : int
    """

    temperature: float
    top_k: int | None
    top_p: float | None
    max_length: int | None
    n_more: int

    def check(self, symbolic: bool, lengths: NDArray[np.int64]) -> None:
        """Refuse settings that leave nothing to draw from, or are for symbols alone.

        `lengths` are those of the prompts.
        """
        if not 0 < self.temperature < np.inf:
            raise ValueError(f"temperature={self.temperature!r} must be above 0, and finite.")
        for name, value in (("top_k", self.top_k), ("max_length", self.max_length)):
            if value is not None and not (isinstance(value, Integral) and value >= 1):
                raise ValueError(f"{name}={value!r} must be a whole number of at least 1.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p!r} must be above 0 and at most 1.")
        for name, given in (("top_k", self.top_k), ("top_p", self.top_p)):
            if given is not None and not symbolic:
                raise ValueError(
                    f"{name}={given} chooses among symbols, but steps are vectors: leave it out, "
                    "or set temperature."
                )
        if self.max_length is not None and (longest := int(lengths.max())) >= self.max_length:
            raise ValueError(
                f"prompt, sequence {lengths.argmax()} has {longest} steps, and max_length="
                f"{self.max_length} leaves none to draw: set it higher, or cut the prompt."
            )

    def samples(
        self, model: Any, n_samples: int | None, prompt: Any, context: Any, random_state: Any
    ) -> NDArray[Any]:
        """Sequences drawn from a fitted model, as its method `sample` gives them."""
        given, prompts = _read_prompts(model, prompt)
        if n_samples is None:
            n_samples = max(len(prompts), 0 if context is None else len(context))
        check_scalar(n_samples, "n_samples", (int, np.integer), min_val=1)
        if len(prompts) not in (1, n_samples):
            raise ValueError(
                f"prompt holds {len(prompts)} sequences for n_samples={n_samples}: give one for "
                "all, or one for each."
            )
        self.check(given.symbolic, prompts.lengths)
        owner = np.arange(n_samples) % len(prompts)
        given, prompts = given.take(owner), prompts.take(owner)
        like = parameter_of(model.module_)
        of_rows = scaled_context(model, model._with_context(prompts, context, None, False), like)
        rng = check_random_state(random_state)
        with torch.inference_mode(), threads(model.n_threads, work_of(model.module_)):
            tensor = None if of_rows is None else as_tensor(of_rows, like)
            drawn = self._drawn(model.module_, prompts, tensor, rng)
        samples = np.empty(n_samples, dtype=object)
        for i, begun in enumerate(np.split(given.steps, given.starts[1:])):
            samples[i] = model._format.write(_decoded(model, begun, drawn[i]))
        return samples

    def _drawn(
        self,
        network: LanguageNetwork,
        prompts: Sequences,
        context: Tensor | None,
        rng: np.random.RandomState,
    ) -> list[NDArray[Any]]:
        """The steps of each sample that come after its prompt, as the network gives them."""
        n, most = len(prompts), self.max_length or self.n_more
        symbolic, like = prompts.symbolic, network.start_vector
        # One sample after the other, so that the first do not depend on how many there are.
        uniforms = rng.random_sample((n, most + 1) if symbolic else (n, most, network.n_values + 1))
        drawn: list[NDArray[Any]] = [np.empty(0)] * n
        for length, rows in _alike(prompts.lengths):
            n_more = self.n_more if self.max_length is None else self.max_length - length
            full = rows[np.arange(_ROWS) % len(rows)]
            begun = prompts.steps[prompts.starts[full] + np.arange(length)[:, None]]
            own = None if context is None else context[torch.from_numpy(full).to(like.device)]
            memory = network.prompted(as_tensor(begun, like), _ROWS, own)
            numbers = torch.from_numpy(uniforms[full]).to(like)
            if symbolic:
                limits, numbers = Limits(n_more), numbers[:, : n_more + 1]
                choice = self.temperature, self.top_k, self.top_p
                found = sample(network, memory, _ROWS, numbers, limits, *choice)
                values, lengths = found.symbols[:, 0], found.lengths[:, 0]
            else:
                values, lengths = network.draw(memory, numbers[:, :n_more], self.temperature)
            for i, row in enumerate(rows.tolist()):
                drawn[row] = values[i, : lengths[i]].cpu().numpy()
        return drawn


def _decoded(model: Any, begun: NDArray[Any], drawn: NDArray[Any]) -> NDArray[Any]:
    """A sample, of what it begins with as the user gave it, and what the network gave then."""
    if begun.ndim == 1:
        symbols = model.vocabulary_[drawn - 1]
        return np.concatenate([np.array(begun.tolist()), symbols]) if len(begun) else symbols
    labels = model._kind == "labels"
    steps = np.concatenate([begun, drawn if labels else unscaled(model, drawn)])
    return steps.astype(np.int64) if labels else steps


def _alike(lengths: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Numbers of rows of one length, a few at a time."""
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        for start in range(0, len(rows), _ROWS):
            yield length, rows[start : start + _ROWS]


class _Sampler:
    """The method of the estimator, which takes it in its body."""

    module_: Any
    _longest: int

    def sample(
        self,
        n_samples: int | None = None,
        prompt: Any = None,
        random_state: Any = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        max_length: int | None = None,
        context: Any = None,
    ) -> NDArray[Any]:
        """Draw sequences, each step from what may follow those before.

        Parameters
        ----------
        n_samples : int or None, default=None
            Number of sequences. None draws one for each prompt, or row of context, or one.
        prompt : str, sequence, list of them, or None, default=None
            What the sequences begin with: one beginning for all, a string or an array of steps; or
            a list as X of `fit`, with one for each. None begins at the start.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws; None draws other sequences with each call.
        temperature : float, default=1.0
            Logits are divided by it: below 1 what is probable becomes more probable. Of real
            values it multiplies the variance.
        top_k : int or None, default=None
            Draw among this many most probable symbols only, the end among them; 1 is greedy.
        top_p : float or None, default=None
            Draw among the fewest symbols only whose probabilities sum to it (nucleus sampling,
            Holtzman et al. 2020).
        max_length : int or None, default=None
            Most steps of a sequence, its prompt included. None takes twice the longest sequence of
            `fit`, but at most 1000 steps more than the prompt has.
        context : array-like of shape (n_samples, n_context_features) or None, default=None
            Context of each sequence, or one row for all.

        Returns
        -------
        ndarray of shape (n_samples,) of object
            A sequence each, which begins with its prompt; strings after a fit on strings, the words
            of ``tokenizer="word"`` with spaces between them. A callable `tokenizer` leaves arrays
            of tokens. The unknown symbol is not drawn.

        Raises
        ------
        ValueError
            If a prompt has a symbol that was not seen in `fit`, or as many steps as `max_length`;
            or if there would be nothing to draw from.
        """
        check_is_fitted(self)
        n_more = min(2 * self._longest, _LONGEST)
        drawing = _Drawing(temperature, top_k, top_p, max_length, n_more)
        return drawing.samples(self, n_samples, prompt, context, random_state)


SAMPLE = _Sampler.sample
