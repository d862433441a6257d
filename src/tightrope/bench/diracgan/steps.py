"""Optimizers of one number, written out by hand from their papers: what `training.optimizers` is held against. No torch.

Each is made anew for a player and called as (weight, derivative, factor of the rate) -> the weight after the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Step = Callable[[float, float, float], float]


def descent(rate: float, momentum: float = 0.0) -> Step:
    velocity: list[float] = []

    def step(w: float, g: float, factor: float) -> float:
        velocity[:] = [momentum * velocity[0] + g if velocity else g]
        return w - rate * factor * velocity[0]

    return step


def _adam(rate: float, beta1: float, beta2: float) -> Callable[[float, float], float]:
    """The length of Adam's step, lr m / (sqrt(v) + eps)."""
    state = {"m": 0.0, "v": 0.0, "t": 0}

    def length(g: float, factor: float) -> float:
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * g
        state["v"] = beta2 * state["v"] + (1 - beta2) * g * g
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        return rate * factor * m / (math.sqrt(v) + 1e-8)

    return length


def adam(rate: float, beta1: float, beta2: float) -> Step:
    length = _adam(rate, beta1, beta2)
    return lambda w, g, factor: w - length(g, factor)


def rmsprop(rate: float, decay: float = 0.99) -> Step:
    state = {"v": 0.0}

    def step(w: float, g: float, factor: float) -> float:
        state["v"] = decay * state["v"] + (1 - decay) * g * g
        return w - rate * factor * g / (math.sqrt(state["v"]) + 1e-8)

    return step


def optimistic(rate: float, beta1: float = 0.5, beta2: float = 0.9) -> Step:
    length, before = _adam(rate, beta1, beta2), [0.0]

    def step(w: float, g: float, factor: float) -> float:
        now = length(g, factor)
        w, before[0] = w - 2 * now + before[0], now
        return w

    return step


def extra(rate: float, beta1: float = 0.5, beta2: float = 0.9) -> Step:
    length = _adam(rate, beta1, beta2)
    origin: list[float] = []

    def step(w: float, g: float, factor: float) -> float:
        if origin:
            return origin.pop() - length(g, factor)
        origin.append(w)
        return w - length(g, factor)

    return step


def lookahead(inner: Step, every: int = 5, pull: float = 0.5) -> Step:
    state = {"count": 0.0}

    def step(w: float, g: float, factor: float) -> float:
        state.setdefault("slow", w)
        w = inner(w, g, factor)
        state["count"] += 1
        if state["count"] % every == 0:
            w = state["slow"] = state["slow"] + pull * (w - state["slow"])
        return w

    return step
