"""
From letters to sounds
======================

How is a word pronounced that one has never heard? Letters and sounds are not one to one: *sh* is
one sound, *x* is two, and the *e* of *hate* is silent but changes the *a*. Can an encoder-decoder
network learn such rules from 600 words, and where does it look while it writes?
"""

# %%
# Words and sounds come from rules of English spelling, so that nothing has to be downloaded:
# ``sklseq.datasets.load_g2p`` reads real pronouncing dictionaries, such as CMUdict.

import itertools

import matplotlib.pyplot as plt
import numpy as np

from sklseq.metrics import edit_distance_rate, exact_match_score
from sklseq.seq2seq import Seq2SeqClassifier

ONSETS = {"b": "B", "d": "D", "f": "F", "g": "G", "h": "HH", "l": "L", "m": "M", "n": "N", "p": "P"}
ONSETS |= {"r": "R", "s": "S", "t": "T", "w": "W", "sh": "SH", "ch": "CH", "th": "TH", "ph": "F"}
ONSETS |= {"st": "S T", "pl": "P L", "tr": "T R", "qu": "K W", "kn": "N", "wr": "R"}
SHORT = {"a": "AE", "e": "EH", "i": "IH", "o": "AA", "u": "AH"}
LONG = {"a": "EY", "i": "AY", "o": "OW", "u": "UW"}
PAIRS = {"ee": "IY", "ea": "IY", "oo": "UW", "ou": "AW", "ai": "EY", "oa": "OW"}
CODAS = {"b": "B", "d": "D", "g": "G", "n": "N", "p": "P", "t": "T", "m": "M"}
ENDS = {"ck": "K", "sh": "SH", "ng": "NG", "x": "K S", "tch": "CH", "st": "S T"}

spoken = {}
for (onset, first), (vowel, v), (coda, last) in itertools.product(
    ONSETS.items(), SHORT.items(), (CODAS | ENDS).items()
):
    spoken[onset + vowel + coda] = f"{first} {v} {last}".split()
for (onset, first), (vowel, v), (coda, last) in itertools.product(
    ONSETS.items(), LONG.items(), CODAS.items()
):
    spoken[onset + vowel + coda + "e"] = f"{first} {v} {last}".split()  # hate: the e is silent
for (onset, first), (vowel, v), (coda, last) in itertools.product(
    ONSETS.items(), PAIRS.items(), CODAS.items()
):
    spoken[onset + vowel + coda] = f"{first} {v} {last}".split()

words = np.random.default_rng(0).permutation(sorted(spoken))
train, test = list(words[:600]), list(words[600:1000])
print(len(spoken), "words, such as", *(f"{w}: {' '.join(spoken[w])};" for w in train[:4]))

# %%
# A letter for a sound, its most common one, is the least that one could do. The network is trained
# on 600 words and asked for 400 others.

model = Seq2SeqClassifier(hidden_size=48, embedding_size=16, max_epochs=40, random_state=0)
model.fit(train, [spoken[w] for w in train])

letters = {k: v for k, v in (ONSETS | SHORT | CODAS | ENDS).items() if len(k) == 1}
by_letter = [" ".join(letters.get(c, "") for c in w).split() for w in test]
true, predicted = [spoken[w] for w in test], model.predict(test)
for name, y in [("letter by letter", by_letter), ("network", predicted)]:
    words_right, errors = exact_match_score(true, y), edit_distance_rate(true, y)
    print(f"{name:18} words right {words_right:.2f}, errors for each sound {errors:.3f}")
for i in [i for i, w in enumerate(test) if list(predicted[i]) != spoken[w]][:4]:
    print(f"  wrong: {test[i]} is {' '.join(spoken[test[i]])}, not {' '.join(predicted[i])}")

# %%
# Where the decoder looks while it writes each sound: at both letters of *sh*, and for the vowel of
# a word that ends in *e* at that *e*, too.

shown = ["wrote", "shock", "phate", "quail"]
shown = [w for w in shown if w in spoken][:3]
weights = model.attention_weights(shown)
figure, axes = plt.subplots(1, len(shown), figsize=(9, 3), layout="constrained")
for ax, word, weight, sounds in zip(axes, shown, weights, model.predict(shown), strict=True):
    ax.imshow(weight, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(word)), list(word))
    ax.set_yticks(range(len(weight)), [*sounds, "end"][: len(weight)])
figure.supxlabel("letter read")
figure.supylabel("sound written")
plt.show()

# %%
# Rules as regular as these are learned nearly without fault. On CMUdict, with its 130,000 words and
# their history, about every fourth word is wrong in some sound: :doc:`/benchmarks/seq2seq`.
