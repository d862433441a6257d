"""How often the doctor of logs finds a break, how often it finds one where there is none, and how far off it puts it.

python benchmarks/logs.py [--curves 200]

Simulated curves in the shape of published ones: FID falls over 10 to 150 evaluations, with noise of 3 to 15 % of its value whose
neighbours correlate by 0 or 0.3 (0.6 is shown apart: so slow a wander is a change of level for as long as it lasts). Half of the
noise is normal, half heavy-tailed. Losses: 2,000 readings of D's loss with spikes. Curve number i has the seed i. "Found" is the
verdict itself, at SURE; "off" is the distance from the planted moment, as a share of the run: median and 90th percentile.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from tightrope.balance.breaks import SURE, TOLERANCE, metric_break
from tightrope.balance.history import History, Reading
from tightrope.balance.logs import Clock
from tightrope.balance.loss_breaks import collapsing, exploding, frozen, swinging

Array = np.ndarray
LENGTHS = (10, 25, 50, 150)
NOISES = (0.03, 0.08, 0.15)
MEMORIES = (0.0, 0.3)
CLOCK = Clock("step")
LOSSES = 2_000
LOUD = 1_000  # the first seed of the curves with 20 % noise


def wander(random: np.random.Generator, n: int, size: float, memory: float) -> Array:
    """Noise of standard deviation `size` whose neighbours correlate by `memory`."""
    fresh = random.standard_normal(n) if random.random() < 0.5 else random.standard_t(4, n) / np.sqrt(2)
    fresh[1:] *= np.sqrt(1 - memory**2)
    for i in range(1, n):
        fresh[i] += memory * fresh[i - 1]
    return size * fresh


def falling(random: np.random.Generator, n: int) -> Array:
    return 8 + 190 * np.exp(-random.uniform(3, 30) * np.arange(1, n + 1) / n)


def power(random: np.random.Generator, n: int) -> Array:
    return 6 + 80 * np.arange(1, n + 1) ** -random.uniform(0.5, 1.2)


def flat(random: np.random.Generator, n: int) -> Array:
    return np.full(n, 12.0)


HEALTHY: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "falls, then a plateau": falling, "falls by a power law": power, "flat from the start": flat,
}  # fmt: skip


def collapse(random: np.random.Generator, curve: Array, at: int, times: float) -> Array:
    """Up by a factor within a twentieth of the run, and there to stay."""
    n = len(curve)
    return curve * np.where(np.arange(n) < at, 1, times ** np.clip((np.arange(n) - at + 1) / max(n / 20, 1), 0, 1))


def decline(random: np.random.Generator, curve: Array, at: int, times: float) -> Array:
    """Up by a factor, evenly, over all the rest of the run."""
    n = len(curve)
    return curve * times ** np.clip((np.arange(n) - at) / (n - at), 0, 1)


def history(name: str, values: Array) -> History:
    return History(Reading(i, i / len(values), {name: float(value)}) for i, value in enumerate(values))


def metric(
    seed: int,
    shape: str,
    broken: Callable[..., Array] | None,
    times: float,
    memory: float | None = None,
    size: float | None = None,
) -> float | None:
    """The distance from the planted moment; 0 for a false alarm; None where no break was found."""
    random = np.random.default_rng(seed)
    n, size = LENGTHS[seed % len(LENGTHS)], size or NOISES[seed // 4 % len(NOISES)]
    memory = MEMORIES[seed // 12 % len(MEMORIES)] if memory is None else memory
    curve, at = HEALTHY[shape](random, n), int(random.uniform(0.4, 0.85) * n)
    curve = broken(random, curve, at, times) if broken else curve
    found = metric_break(history("metric/fid", curve * np.exp(wander(random, n, size, memory))), "metric/fid", "lower", CLOCK)
    if found is None or found.name != "diverging":
        return None
    return abs(found.since - at) / n if broken else 0.0


def loss(seed: int, kind: str, check: Callable[..., object]) -> float | None:
    random = np.random.default_rng(seed)
    at, n = int(random.uniform(0.3, 0.85) * LOSSES), LOSSES
    level = 1.386 * np.exp(-random.uniform(0, 1.2) * np.minimum(np.arange(n) / (0.3 * n), 1))
    noise = np.exp(wander(random, n, random.uniform(0.1, 0.5), 0.6))
    values = level * noise * np.where(random.random(n) < 0.005, 3, 1)
    after = np.clip((np.arange(n) - at) / 100, 0, None)
    if kind == "to nothing":
        values = values * np.maximum(np.exp(-2 * after), 1e-4)
    elif kind == "explodes":
        values = values * np.minimum(np.exp(1.5 * after), 1e6)
    elif kind == "freezes":
        values[at:] = values[at]
    elif kind == "swings":
        values = values + np.minimum(after, 6) * level * np.sin(np.arange(n) / 4)
    found = check(history("loss/D", values), "loss/D", CLOCK)
    if found is None or found.good:  # type: ignore[attr-defined]
        return None
    return abs(found.since - at) / n  # type: ignore[attr-defined]


def line(title: str, results: list[float | None], planted: bool) -> str:
    found = [result for result in results if result is not None]
    off = f"  off {np.median(found):6.1%} {np.quantile(found, 0.9):6.1%}" if planted and found else ""
    return f"{title:<58}{len(found):>5} of {len(results):<5}{len(found) / len(results):>7.1%}{off}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--curves", type=int, default=200)
    seeds = range(parser.parse_args().curves)
    print(f"alarms at {SURE:.0%} sure, {TOLERANCE:.0%} off the best level; {len(seeds)} curves a line, seeds from 0\n")
    print("healthy: false alarms")
    for shape in HEALTHY:
        print(line(f"  {shape}", [metric(seed, shape, None, 1) for seed in seeds], False))
    print(
        line("  flat, neighbours correlate by 0.6", [metric(seed, "flat from the start", None, 1, 0.6) for seed in seeds], False)
    )
    for memory in (0.0, 0.3, 0.6):
        results = [metric(seed + LOUD, shape, None, 1, memory, 0.2) for shape in HEALTHY for seed in seeds]
        print(line(f"  all three, 20 % noise, neighbours correlate by {memory:g}", results, False))
    print("broken: found")
    for name, broken in (("late collapse", collapse), ("slow decline", decline)):
        for times in (1.5, 2.0, 5.0, 30.0)[: 4 if broken is collapse else 3]:
            results = [metric(seed, "falls, then a plateau", broken, times) for seed in seeds]
            print(line(f"  {name}, {times:g} times", results, True))
    print("D's loss, healthy: false alarms")
    for check in (collapsing, exploding, frozen, swinging):
        print(line(f"  {check.__name__}", [loss(seed, "healthy", check) for seed in seeds], False))
    print("D's loss, broken: found")
    kinds = {"to nothing": collapsing, "explodes": exploding, "freezes": frozen, "swings": swinging}
    for kind, check in kinds.items():
        print(line(f"  {kind}", [loss(seed, kind, check) for seed in seeds], True))


if __name__ == "__main__":
    main()
