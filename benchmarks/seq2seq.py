"""Encoder-decoder networks on the field's tasks, in one command.

    python benchmarks/seq2seq.py [--quick] [--only ROW ...] [--data PATH]

* g2p_64, g2p_256: grapheme-to-phoneme conversion on CMUdict's standard split, which needs
  ``--data``, a folder with ``g2p/cmudict.train.txt`` and ``g2p/cmudict.ref.txt``. The smaller is
  trained without each 21st word of the training part, by which settings were chosen. A word is
  wrong if the output equals none of its references; phone errors are counted to the nearest one.
* scan_simple, scan_length, scan_jump, scan_relative: the splits of SCAN (Lake and Baroni 2018);
  the last is that by length, cut at 26 actions, with a transformer of relative positions.
* addition: sums of numbers of three digits, the query reversed, a tenth of 50,000 pairs held out.
* reversal: sequences of up to 25 numbers reversed, tested on up to 30.
* speed: words a second in greedy and beam search, and whether a batch gives what one by one gives.

``--quick`` trains little on few pairs, and says nothing.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _table import Row, Rows, at_least, at_most, main, turns

from sklseq.datasets import load_g2p, make_addition, make_reversal, make_scan
from sklseq.metrics import bleu_score, edit_distance_rate, exact_match_score
from sklseq.seq2seq import Seq2SeqClassifier

G2P_64 = {
    "hidden_size": 64, "batch_size": 64, "learning_rate": 5e-3, "max_epochs": 20
}  # fmt: skip
G2P_256 = {
    "hidden_size": 256,
    "encoder_num_layers": 2,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "max_epochs": 20,
    "dropout": 0.1,
}
SCAN = {"hidden_size": 128, "dropout": 0.1, "max_epochs": 20}


def g2p(settings: dict[str, Any], bar: float, every: bool, quick: bool, data: Path | None) -> Rows:
    if data is None:
        yield Row("G2P", "-", "needs --data", None)
        return
    folder = data / "g2p"
    train = load_g2p(folder / "cmudict.train.txt", variants="all")
    test = load_g2p(folder / "cmudict.ref.txt")
    held = np.isin(train.data, np.unique(train.data)[::21]) & (not every)
    X, y = train.data[~held], train.target[~held]
    words, references = test.data, test.references
    if quick:
        X, y, words, references = X[::50], y[::50], words[::50], references[::50]
        settings = settings | {"max_epochs": 1}
    begin = time.process_time()
    model = Seq2SeqClassifier(random_state=0, **settings).fit(X, y)
    seconds = time.process_time() - begin
    for beam in (1, 5):
        predicted = model.set_params(beam_size=beam).predict(words)
        word = 1 - exact_match_score(references, predicted, multiple_references=True)
        phone = edit_distance_rate(references, predicted, multiple_references=True)
        task = f"G2P, {model.hidden_size} wide, beam {beam}: word errors in %"
        more = f" (phone errors {100 * phone:.2f} %, {seconds:.0f} s)"
        yield at_most(task, 100 * word, bar, "{:.2f}", more)


def scan(
    split: str,
    bar: float | None,
    quick: bool,
    data: Path | None,
    length_cutoff: int = 22,
    **settings: Any,
) -> Rows:
    X, y, train, test = make_scan(split, length_cutoff=length_cutoff, random_state=0)
    settings = SCAN | settings
    if quick:
        train, test = train[::20], test[::20]
        settings["max_epochs"] = 1
    begin = time.process_time()
    model = Seq2SeqClassifier(random_state=0, **settings).fit(X[train], y[train])
    seconds = time.process_time() - begin
    right = 100 * model.score(X[test], y[test])
    task = f"SCAN {split}, {model.encoder}: right in %"
    if split == "length":
        task = f"SCAN trained on up to {length_cutoff} actions, {model.encoder}: right in %"
    yield Row(
        task,
        f"{right:.2f} ({seconds:.0f} s)",
        "-" if bar is None else f">= {bar}",
        None if bar is None else bool(right >= bar),
    )


def addition(quick: bool, data: Path | None) -> Rows:
    X, y = make_addition(2_000 if quick else 50_000, random_state=0)
    cut = len(X) // 10
    begin = time.process_time()
    model = Seq2SeqClassifier(
        hidden_size=128, max_epochs=1 if quick else 15, batch_size=64, random_state=0
    ).fit(X[cut:], y[cut:])
    seconds = time.process_time() - begin
    predicted = model.predict(X[:cut])
    width = max(map(len, [*predicted, *y[:cut]]))
    same = [
        np.array(list(p.ljust(width))) == np.array(list(t.ljust(width)))
        for p, t in zip(predicted, y[:cut], strict=True)
    ]
    right = 100 * float(np.mean(same))
    whole = 100 * model.score(X[:cut], y[:cut])
    yield at_least(
        "addition, three digits: characters in %",
        right, 99, "{:.2f}", f" (whole sums {whole:.2f} %, {seconds:.0f} s)",
    )  # fmt: skip


def reversal(quick: bool, data: Path | None) -> Rows:
    n = 2_000 if quick else 7_000 * 32  # the pairs of 7,000 steps, none twice
    X, y = make_reversal(n, (1, 25), random_state=0)
    X_test, y_test = make_reversal(500, (1, 30), random_state=1)
    begin = time.process_time()
    model = Seq2SeqClassifier(embedding_size=64, max_epochs=1, random_state=0).fit(X, y)
    seconds = time.process_time() - begin
    predicted = model.predict(X_test)
    yield at_least(
        "reversal after 7,000 steps of 32: BLEU", bleu_score(y_test, predicted), 95.4, "{:.2f}",
        f" (right {100 * exact_match_score(y_test, predicted):.1f} %, {seconds:.0f} s)",
    )  # fmt: skip


def speed(quick: bool, data: Path | None) -> Rows:
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, n)) for n in rng.integers(3, 13, 1_000)]
    phones = [[letter.upper() * 2 for letter in word] for word in words]
    model = Seq2SeqClassifier(hidden_size=64, max_epochs=2 if quick else 30, random_state=0)
    model.fit(words, phones)
    greedy = Seq2SeqClassifier().set_params(**model.get_params())
    greedy.__setstate__(model.__getstate__() | {"beam_size": 1})
    seconds, _ = turns(
        clock=time.process_time,
        greedy=partial(greedy.predict, words), beam=partial(model.predict, words)
    )  # fmt: skip
    yield at_least("greedy search: words a second", 1_000 / seconds["greedy"], 2_000, "{:.0f}")
    yield at_least("beam of 5: words a second", 1_000 / seconds["beam"], 500, "{:.0f}")
    yield at_most("beam of 5 / greedy", seconds["beam"] / seconds["greedy"], 6, "{:.2f}")
    together = model.predict(words)
    alone = [model.predict([word])[0] for word in words[::10]]
    same = all(a.tolist() == b.tolist() for a, b in zip(alone, together[::10], strict=True))
    yield Row("a batch gives what one by one gives", str(same), "True", same)


ROWS: dict[str, Callable[..., Rows]] = {
    "g2p_64": partial(g2p, G2P_64, 32, False),
    "g2p_256": partial(g2p, G2P_256, 24.4, True),
    "scan_simple": partial(scan, "simple", 99.5, dropout=0.0, max_epochs=60),
    "scan_length": partial(scan, "length", None),
    "scan_jump": partial(scan, "jump", None),
    "scan_relative": partial(
        scan,
        "length",
        90,
        length_cutoff=26,
        encoder="transformer",
        decoder="transformer",
        positions="relative",
        num_layers=3,
        n_heads=8,
        dropout=0.3,
        batch_size=128,
        learning_rate=1e-3,
        max_epochs=60,
    ),
    "addition": addition,
    "reversal": reversal,
    "speed": speed,
}

if __name__ == "__main__":
    main(__doc__, ROWS, data=True)
