"""The DiracGAN written out by hand: every vector field as a function of plain numbers. No torch.

With s = psi theta = D(G) and D(real) = 0, an objective has the derivatives a(s) theta in psi and b(s) psi in theta, where
a and b are the slopes of D's and of G's loss in the logit on the fake sample. Reals pull nowhere: D is 0 there whatever psi.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tightrope.bench.diracgan import steps as by

START, RATE, REG, SD = (1.0, 1.0), 0.1, 0.3, 0.7
Number = Callable[[float], float]
Field = Callable[[float, float, dict[str, float]], float]  # (theta, psi, memory) -> derivative
Rule = Callable[[], by.Step]


def descent() -> by.Step:
    return by.descent(RATE)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


SLOPES: dict[str, tuple[Number, Number]] = {
    "minimax": (sigmoid, lambda s: -sigmoid(s)),
    "non-saturating": (sigmoid, lambda s: -sigmoid(-s)),
    "least-squares": (lambda s: s, lambda s: s - 1),
    "hinge": (lambda s: float(s > -1), lambda s: -1.0),
    "wasserstein": (lambda s: 1.0, lambda s: -1.0),
    "relativistic": (sigmoid, lambda s: -sigmoid(-s)),
    "relativistic-average": (lambda s: 2 * sigmoid(s), lambda s: -2 * sigmoid(-s)),
    "kl": (lambda s: math.exp(s - 1), lambda s: -1.0),
    "reverse-kl": (lambda s: 1.0, lambda s: -math.exp(-s)),
    "pearson": (lambda s: s / 2 + 1, lambda s: -1.0),
    "js": (sigmoid, lambda s: -sigmoid(-s)),
}


# ---------------------------------------------------------------- games
@dataclass(frozen=True, kw_only=True)
class Closed:
    """A method by hand: derivatives of D's loss in psi and of G's in theta, and steps made by `d_rule()` and `g_rule()`."""

    d: Field
    g: Field
    d_rule: Rule = descent
    g_rule: Rule = descent
    simultaneous: bool = False
    limit: float = math.inf
    repeat: int = 1
    lazy: tuple[Field, int] | None = None
    factor: Number = lambda progress: 1.0
    noise: Number = lambda progress: 0.0


def play(method: Closed, steps: int, start: tuple[float, float] = START) -> np.ndarray:
    """(steps + 1, 2): theta and psi at the start and after every round."""
    return np.array(list(_rounds(method, steps, start)))


def growth(method: Closed, rounds: int = 1) -> float:
    """By how much a round stretches small distances to the equilibrium at most in the long run: the spectral radius of its linear
    part there. Below 1 the game converges locally, and linearly. After `rounds` nothing may be remembered."""
    shift = 1e-5

    def column(theta: float, psi: float) -> np.ndarray:
        return (play(method, rounds, (theta, psi))[-1] - play(method, rounds, (-theta, -psi))[-1]) / (2 * shift)

    linear_part = np.stack([column(shift, 0), column(0, shift)], axis=1)
    return float(np.abs(np.linalg.eigvals(linear_part)).max() ** (1 / rounds))


def _rounds(method: Closed, steps: int, start: tuple[float, float]) -> Iterator[tuple[float, float]]:
    (theta, psi), memory = start, {}
    d, g = method.d_rule(), method.g_rule()
    yield theta, psi
    for step in range(steps):
        factor, memory["noise"] = method.factor(step / steps), method.noise(step / steps)
        old = psi
        for _ in range(method.repeat):
            psi = d(psi, method.d(theta, psi, memory), factor)
            psi = min(max(psi, -method.limit), method.limit)
        if method.lazy and step % method.lazy[1] == 0:
            psi = d(psi, method.lazy[0](theta, psi, memory), factor)
        theta = g(theta, method.g(theta, old if method.simultaneous else psi, memory), factor)
        yield theta, psi


def plain(name: str, d: Field | None = None, g: Field | None = None, **how: Any) -> Closed:
    """An objective, with the derivatives of further terms."""
    a, b = SLOPES[name]

    def d_field(theta: float, psi: float, memory: dict[str, float]) -> float:
        return a(theta * psi) * theta + (d(theta, psi, memory) if d else 0.0)

    def g_field(theta: float, psi: float, memory: dict[str, float]) -> float:
        return b(theta * psi) * psi + (g(theta, psi, memory) if g else 0.0)

    return Closed(d=d_field, g=g_field, **how)


def _sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def _to_target(theta: float, psi: float, memory: dict[str, float]) -> float:
    """d/dpsi of reg / 2 (|psi| - target)^2."""
    return REG * (abs(psi) - REG) * _sign(psi)


def _above_target(theta: float, psi: float, memory: dict[str, float]) -> float:
    return REG * max(0.0, abs(psi) - REG) * _sign(psi)


def _lecam(theta: float, psi: float, memory: dict[str, float]) -> float:
    """1/2 (max(0, 0 - mean fake)^2 + max(0, mean real - s)^2): the real logit and its mean are 0."""
    s = theta * psi
    memory["fake"] = s if "fake" not in memory else memory["fake"] + 0.01 * (s - memory["fake"])
    return -max(0.0, -s) * theta


def _past(player: str) -> Field:
    """d/dw of 1/2 (w - mean of all w so far)^2."""

    def derivative(theta: float, psi: float, memory: dict[str, float]) -> float:
        w = psi if player == "psi" else theta
        memory[f"{player} n"] = memory.get(f"{player} n", 0) + 1
        memory[f"{player} sum"] = memory.get(f"{player} sum", 0.0) + w
        return w - memory[f"{player} sum"] / memory[f"{player} n"]

    return derivative


def _ahead(theta: float, psi: float, memory: dict[str, float]) -> float:
    """d/dtheta of softplus(-psi_5 theta), where psi_(k+1) = psi_k - rate sigmoid(psi_k theta) theta; slope = d psi_k/d theta."""
    slope = 0.0
    for _ in range(5):
        p = sigmoid(psi * theta)
        bend = p * (1 - p) * (slope * theta + psi)
        psi, slope = psi - RATE * p * theta, slope - RATE * (bend * theta + p)
    return -sigmoid(-psi * theta) * (psi + theta * slope)


def _noisy_d(theta: float, psi: float, memory: dict[str, float]) -> float:
    """E of -x sigmoid(-psi x) + (theta + x) sigmoid(psi (theta + x)) over x ~ N(0, noise^2), by Gauss and Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    x, total = memory["noise"] * nodes, 0.0
    for shift, weight in zip(x.tolist(), (weights / weights.sum()).tolist(), strict=True):
        fake = theta + shift
        total += weight * (fake * sigmoid(psi * fake) - shift * sigmoid(-psi * shift))
    return total


def _noisy_g(theta: float, psi: float, memory: dict[str, float]) -> float:
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    x, total = memory["noise"] * nodes, 0.0
    for shift, weight in zip(x.tolist(), (weights / weights.sum()).tolist(), strict=True):
        total -= weight * sigmoid(-psi * (theta + shift)) * psi
    return total


def _consensus(theta: float, psi: float) -> tuple[float, float]:
    """v + grad 1/2 |v|^2 in psi and in theta, v = (sigmoid(s) theta, -sigmoid(-s) psi) of the non-saturating game."""
    s = theta * psi
    a, b, bend = sigmoid(s), -sigmoid(-s), sigmoid(s) * sigmoid(-s)  # bend = a' = b'
    d, g = a * theta, b * psi
    in_psi = d * bend * theta**2 + g * (bend * s + b)
    in_theta = d * (bend * s + a) + g * bend * psi**2
    return d + in_psi, g + in_theta


def both(rule: Rule, **how: Any) -> dict[str, Any]:
    return {"d_rule": rule, "g_rule": rule, **how}


def _times(x: float) -> Field:
    """d/dpsi of x / 2 psi^2: what a critic without curvature makes of every zero-centred penalty."""
    return lambda theta, psi, memory: x * psi


PENALTIES = {
    "r1": plain("non-saturating", _times(REG)),
    "r2": plain("non-saturating", _times(REG)),
    "r1+r2": plain("relativistic", _times(2 * REG)),
    "0-gp": plain("non-saturating", _times(REG)),
    "wgan-gp": plain("wasserstein", _to_target),
    "wgan-gp one-sided": plain("wasserstein", _above_target),
    "dragan": plain("non-saturating", _to_target),
    "bcr": plain("non-saturating", _times(REG)),  # D(x + 1) - D(x) = psi: the four copies make a zero-centred penalty
}
_NOISY_LS = Closed(  # the expectation of 1/2 (psi x - 1)^2 + 1/2 psi^2 (theta + x)^2 over x ~ N(0, sd^2) is a polynomial
    d=lambda theta, psi, memory: psi * (2 * memory["noise"] ** 2 + theta**2),
    g=lambda theta, psi, memory: psi * (psi * theta - 1),
    noise=lambda progress: SD,
)
_CONSENSUS = Closed(d=lambda t, p, memory: _consensus(t, p)[0], g=lambda t, p, memory: _consensus(t, p)[1], simultaneous=True)
OTHERS = {
    "clipping": plain("wasserstein", limit=REG),
    "instance noise": Closed(d=_noisy_d, g=_noisy_g, noise=lambda progress: SD),
    "instance noise, least-squares": _NOISY_LS,
    "instance noise, fading": Closed(d=_noisy_d, g=_noisy_g, noise=lambda progress: SD * (1 - progress)),
    "lecam": plain("non-saturating", _lecam),
    "smoothed": plain("non-saturating"),  # the label matters on reals alone, and they pull nowhere
    "history": plain("non-saturating", _past("psi"), _past("theta")),
    "feature matching": Closed(d=plain("non-saturating").d, g=lambda theta, psi, memory: 2 * psi**2 * theta),
    "unrolled": Closed(d=plain("non-saturating").d, g=_ahead),
    "consensus": _CONSENSUS,
    "consensus, rmsprop": replace(_CONSENSUS, **both(lambda: by.rmsprop(0.01))),
}
_C = 4 / 5  # lazy regularisation every 4 steps
OPTIMIZERS = {
    "simultaneous": plain("wasserstein", simultaneous=True),
    "simultaneous, non-saturating": plain("non-saturating", simultaneous=True),
    "five critic steps": plain("wasserstein", repeat=5),
    "two rates": plain("non-saturating", g_rule=lambda: by.descent(RATE / 4)),
    "rate to zero": plain("non-saturating", simultaneous=True, factor=lambda progress: 1 - progress),
    "momentum": plain("wasserstein", **both(lambda: by.descent(RATE, 0.2))),
    "negative momentum": plain("wasserstein", **both(lambda: by.descent(2 * RATE, -0.5))),
    "negative momentum, simultaneous": plain("wasserstein", simultaneous=True, **both(lambda: by.descent(RATE, -0.5))),
    "rmsprop": plain("wasserstein", **both(lambda: by.rmsprop(0.02))),
    "adam": plain("wasserstein", **both(lambda: by.adam(0.02, 0.5, 0.9))),
    "adam, beta1 0": plain("wasserstein", **both(lambda: by.adam(0.02, 0.0, 0.99))),
    "adam, r1": plain("non-saturating", _times(REG), **both(lambda: by.adam(0.02, 0.0, 0.99))),
    "adam, lazy r1": plain(
        "non-saturating",
        lazy=(_times(4 * REG), 4),
        d_rule=lambda: by.adam(0.02 * _C, 0.0, 0.99**_C),
        g_rule=lambda: by.adam(0.02, 0.0, 0.99),
    ),
    "optimistic adam": plain("wasserstein", simultaneous=True, **both(lambda: by.optimistic(0.02))),
    "optimistic adam, alternating": plain("wasserstein", **both(lambda: by.optimistic(0.02))),
    "extra adam": plain("wasserstein", simultaneous=True, **both(lambda: by.extra(0.02))),
    "extra adam, alternating": plain("wasserstein", **both(lambda: by.extra(0.02))),
    "lookahead": plain("wasserstein", simultaneous=True, **both(lambda: by.lookahead(by.descent(RATE)))),
    "lookahead, adam": plain("wasserstein", **both(lambda: by.lookahead(by.adam(0.02, 0.5, 0.9)))),
}
GAMES = {name: plain(name) for name in SLOPES} | PENALTIES | OTHERS | OPTIMIZERS
