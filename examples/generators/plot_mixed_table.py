"""
Mixed tables: numbers, categories and missing values
====================================================

A generator takes a DataFrame as it is. Numbers, integers, booleans, categories and missing values
are each learned by their kind, and rows that are drawn have the same columns and dtypes.
"""

# %%
# A table of passengers, made up so that we know what depends on what: the fare is skewed and hangs
# on the class, some travel free, and the age is missing for most of the third class.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklseq.generative import VAE
from sklseq.metrics import classifier_two_sample_score, energy_distance


def passengers(n, seed):
    rng = np.random.default_rng(seed)
    travels = rng.choice(["first", "second", "third"], n, p=[0.15, 0.25, 0.6])
    level = pd.Series(travels).map({"first": 4.2, "second": 3.0, "third": 2.2}).to_numpy()
    fare = np.exp(rng.normal(level, 0.5)).round(2)
    fare[rng.random(n) < 0.1] = 0
    age = pd.array(rng.normal(np.where(travels == "first", 45, 25), 9).clip(1, 80), dtype="Float64")
    age[(rng.random(n) < np.where(travels == "third", 0.6, 0.05))] = pd.NA
    return pd.DataFrame(
        {
            "class": pd.Categorical(travels, ["first", "second", "third"], ordered=True),
            "fare": fare,
            "age": age.round().astype("Int64"),
            "siblings": rng.poisson(0.5, n),
            "survived": rng.random(n) < np.where(travels == "first", 0.7, 0.25),
        }
    )


table = passengers(1500, seed=0)
table.head()

# %%
# Fit and draw. There is nothing to encode or fill in first.

vae = VAE(
    n_components=4, learning_rate=5e-3, lr_schedule="cosine", max_epochs=150, random_state=0
).fit(table)
drawn = vae.sample(1500, random_state=0)
drawn.head()

# %%
assert (drawn.dtypes == table.dtypes).all()
drawn.dtypes

# %%
# Real rows beside drawn ones: shares of the categories; fares, of which a tenth are zero, and which
# hang on the class; and where the age is missing.

fig, axes = plt.subplots(1, 4, figsize=(13, 3.2), layout="constrained")
both = {"real": table, "drawn": drawn}
levels = table["class"].cat.categories
for i, (name, rows) in enumerate(both.items()):
    where = np.arange(3) + 0.4 * i - 0.2
    groups = rows.groupby("class", observed=False)
    axes[0].bar(where, rows["class"].value_counts(normalize=True)[levels], 0.4, label=name)
    axes[2].bar(where, groups["age"].apply(lambda age: age.isna().mean()), 0.4)
    axes[3].bar(where, groups["survived"].mean(), 0.4)
for ax in (axes[0], axes[2], axes[3]):
    ax.set_xticks(range(3), levels)
bins = np.linspace(0, 6, 25)
for name, style in (("real", "-"), ("drawn", "--")):
    for color, level in zip(("C2", "C3", "C4"), levels, strict=True):
        fares = both[name].loc[both[name]["class"] == level, "fare"]
        density, _ = np.histogram(np.log1p(fares), bins, density=True)
        label = level if name == "real" else None
        axes[1].plot(bins[:-1], density, style, color=color, label=label)
axes[0].legend()
axes[1].legend()
titles = ("share", "log(1 + fare), drawn dashed", "age is missing", "survived")
for ax, title in zip(axes, titles, strict=True):
    ax.set_title(title)

# %%
# How good are the samples? Compare their energy distance from held-out rows with that of the
# training rows, which is the floor. A two-sample classifier has accuracy 0.5 if samples and data
# are indistinguishable. Columns that are shuffled independently look as good in every plot of a
# single column.

held_out = passengers(1500, seed=1)
candidates = {
    "training rows": table,
    "drawn": drawn,
    "drawn, columns shuffled": pd.DataFrame(
        {
            name: column.sample(frac=1, random_state=i).array
            for i, (name, column) in enumerate(drawn.items())
        }
    ),
}
scores = pd.DataFrame(
    {
        metric.__name__: {name: metric(held_out, rows) for name, rows in candidates.items()}
        for metric in (energy_distance, classifier_two_sample_score)
    }
)
print(scores.round(4))

# %%
# Scores are log-probabilities and log-densities of whole rows, so that rows that do not belong
# stand out: here one from the first class with a fare of the third.

odd = table[table["class"] == "first"].head(1).assign(fare=3.25)
vae.score_samples(pd.concat([table.head(3), odd])).round(1)

# %%
# What was never seen is refused, with the place.

try:
    vae.score_samples(table.head(2).assign(survived=["yes", "no"]))
except ValueError as error:
    print(error)
