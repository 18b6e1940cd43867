"""What benchmarks share: a table of figures beside bars, sides that take turns, memory."""

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

ROUNDS = 5


@dataclass
class Row:
    """A line of the table."""

    task: str
    figure: str
    bar: str
    met: bool | None


Rows = Iterator[Row]


def at_most(task: str, value: float, bar: float, show: str = "{:.3g}", more: str = "") -> Row:
    return Row(task, show.format(value) + more, "<= " + show.format(bar), bool(value <= bar))


def at_least(task: str, value: float, bar: float, show: str = "{:.3g}", more: str = "") -> Row:
    return Row(task, show.format(value) + more, ">= " + show.format(bar), bool(value >= bar))


def listed(values: Any, show: str = "{:.1e}") -> str:
    return " (" + ", ".join(show.format(v) for v in values) + ")"


def one_thread() -> None:
    """Of torch's and of every BLAS."""
    torch.set_num_threads(1)
    threadpool_limits(limits=1)


def turns(
    *,
    clock: Callable[[], float] = time.perf_counter,
    rounds: int = ROUNDS,
    **sides: Callable[[], Any],
) -> tuple[dict[str, float], dict[str, Any]]:
    """Median seconds of each side, run in turn, and what each returned last."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    results = {}
    for _ in range(rounds):
        for name, side in sides.items():
            results.pop(name, None)
            begin = clock()
            results[name] = side()
            times[name].append(clock() - begin)
    return {name: statistics.median(each) for name, each in times.items()}, results


def peak() -> float:
    """Peak memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(
    description: str,
    rows: dict[str, Callable[..., Rows]],
    data: bool = False,
    device: str | None = None,
) -> None:
    """Print the table of the rows asked for on the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer seeds, shorter series")
    parser.add_argument("--only", nargs="+", choices=rows, default=list(rows), metavar="ROW")
    if data:
        parser.add_argument("--data", type=Path, help="folder of the data")
    if device is not None:
        parser.add_argument("--device", default=device, help="torch's name of the device")
    chosen = parser.parse_args()
    more = ([chosen.data] if data else []) + ([device] if device else [])
    one_thread()
    print("| task | here | bar | met |\n| --- | --- | --- | --- |")
    for name in chosen.only:
        for row in rows[name](chosen.quick, *more):
            met = {True: "yes", False: "no", None: "-"}[row.met]
            print(f"| {row.task} | {row.figure} | {row.bar} | {met} |", flush=True)
