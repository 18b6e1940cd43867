"""Does a GAN find all modes of a mixture, and stay within them? The protocol of PacGAN.

Lin, Khetan, Fanti and Oh (2018), section 4.1: 25 normal distributions on a grid or 8 on a ring,
2,500 samples. A sample is good within three standard deviations of the nearest mode, and a mode is
found if it has a good sample. 2,500 rows to train on, where the paper has 100,000.
"""

import time
import warnings

import numpy as np

from sklseq.generative import GAN

N_ROWS, N_SAMPLES = 2_500, 2_500
ANGLES = np.arange(8) * np.pi / 4
# Modes and their standard deviation.
MIXTURES = {
    "grid": (np.stack(np.meshgrid(*2 * [np.arange(-4.0, 5, 2)]), axis=-1).reshape(-1, 2), 0.05),
    "ring": (np.column_stack([np.cos(ANGLES), np.sin(ANGLES)]), 0.01),
}


def draw(modes: np.ndarray, deviation: float, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return modes[rng.integers(len(modes), size=n)] + deviation * rng.normal(size=(n, 2))


def measures(samples: np.ndarray, modes: np.ndarray, deviation: float) -> tuple[float, int, float]:
    """Share of good samples, modes found, and the divergence of the modes' shares from equal."""
    distance = np.linalg.norm(samples[:, None] - modes, axis=2)
    good = distance.min(axis=1) < 3 * deviation
    counts = np.bincount(distance.argmin(axis=1)[good], minlength=len(modes))
    share = counts[counts > 0] / max(counts.sum(), 1)
    return good.mean(), len(share), float((share * np.log(share * len(modes))).sum())


def mixture(name: str, n_runs: int = 10) -> None:
    """`GAN` with its defaults, and the same without picking among candidates."""
    modes, deviation = MIXTURES[name]
    print(f"\n| {name}, seed | s | modes | good | reverse KL | without candidates: | | |")
    print("|---|---|---|---|---|---|---|---|")
    runs = []
    for seed in range(n_runs):
        X = draw(modes, deviation, N_ROWS, seed)
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gan = GAN(random_state=seed).fit(X)
        seconds = time.process_time() - start
        run = [seconds]
        for k in (gan.n_candidates, 1):
            samples = gan.set_params(n_candidates=k).sample(N_SAMPLES, random_state=seed)
            good, found, divergence = measures(samples, modes, deviation)
            run += [found, good, divergence]
        runs.append(run)
        print(_row(str(seed), run), flush=True)
    print(_row("mean", list(np.mean(runs, axis=0))))
    exact = measures(draw(modes, deviation, N_SAMPLES, n_runs), modes, deviation)
    print(f"\nRows of the distribution itself: {exact[0]:.1%} good, reverse KL {exact[2]:.4f}.")


def _row(label: str, run: list[float]) -> str:
    cells = [f"{run[0]:.0f}"]
    for found, good, divergence in (run[1:4], run[4:7]):
        cells += [f"{found:g}", f"{good:.1%}", f"{divergence:.4f}"]
    return f"| {label} | {' | '.join(cells)} |"


def grid() -> None:
    mixture("grid")


def ring() -> None:
    mixture("ring")
