"""DiracGAN: every objective, regulariser and optimizer on two parameters, against the same game written out by hand.

Paper:  Mescheder, Geiger & Nowozin, "Which training methods for GANs do actually converge?", ICML 2018, arXiv:1801.04406,
        sections 2 and 3.
Run:    tightrope bench dirac
Time:   one minute of CPU.

Real data are the point 0, G makes the point theta, D(x) = psi x; both start at 1, and 1,000 rounds are played in float64. Each
method runs with the objectives, penalties and optimizers of this package, and as a recurrence derived by hand; the largest
difference between the two is the first figure. The verdict says where the game ends; what theory says stands beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tightrope.bench.diracgan import closed
from tightrope.bench.protocol import Ask, Case, Figures, Result, Table
from tightrope.core.errors import InputError

METHODS = {
    "minimax": "the original loss",
    "non-saturating": "the usual loss",
    "least-squares": "targets 0 and 1",
    "hinge": "margins of 1",
    "wasserstein": "the bilinear game, D unconstrained",
    "relativistic": "pairs",
    "relativistic-average": "against the other side's mean",
    "kl": "f-GAN",
    "reverse-kl": "f-GAN",
    "pearson": "f-GAN",
    "js": "f-GAN",
    "r1": "penalty at reals, gamma 0.3",
    "r2": "penalty at fakes, gamma 0.3",
    "r1+r2": "both, relativistic",
    "0-gp": "penalty between them, target 0",
    "wgan-gp": "slope 0.3, two-sided",
    "wgan-gp one-sided": "slope at most 0.3",
    "dragan": "slope 0.3 near reals",
    "bcr": "D must not see a shift by 1",
    "clipping": "psi within 0.3",
    "instance noise": "standard deviation 0.7",
    "instance noise, least-squares": "standard deviation 0.7",
    "instance noise, fading": "from 0.7 to 0",
    "lecam": "means of the other side",
    "smoothed": "reals labelled 0.9",
    "history": "near the mean of one's past",
    "feature matching": "G matches D's output",
    "unrolled": "G sees five steps of D",
    "consensus": "weight 1, gradient descent",
    "consensus, rmsprop": "weight 1, as published",
    "simultaneous": "both move at once",
    "simultaneous, non-saturating": "both move at once",
    "five critic steps": "per step of G",
    "two rates": "G four times slower",
    "rate to zero": "linear, both at once",
    "momentum": "0.2",
    "negative momentum": "-0.5, rate 0.2",
    "negative momentum, simultaneous": "-0.5",
    "rmsprop": "rate 0.02",
    "adam": "0.5, 0.9",
    "adam, beta1 0": "0, 0.99",
    "adam, r1": "every step",
    "adam, lazy r1": "every fourth step",
    "optimistic adam": "both at once",
    "optimistic adam, alternating": "D first",
    "extra adam": "both at once",
    "extra adam, alternating": "D first",
    "lookahead": "gradient descent, both at once",
    "lookahead, adam": "every 5, half way",
}
SEEDS = 1
STEPS = 1000

# what theory says of each: the verdicts that agree with it (none where it is silent), and why
CIRCLE = "eigenvalues on the imaginary axis: no linear convergence (section 2)"
DAMPED = "eigenvalues with negative real part: converges (section 3)"
NONE = "no theorem"
THEORY: dict[str, tuple[tuple[str, ...], str]] = {
    "minimax": (("circles",), CIRCLE),
    "non-saturating": (("closes in",), f"{CIRCLE}; |w|^2 falls by s tanh(s/2), s = psi theta"),
    "least-squares": (("stalls",), "psi = 0 is an equilibrium with any theta: D without a bias cannot say 1/2"),
    "hinge": (("circles",), CIRCLE),
    "wasserstein": (("circles",), CIRCLE),
    "relativistic": (("closes in",), "here the same field as non-saturating"),
    "relativistic-average": (("closes in",), "here twice the field of non-saturating"),
    "kl": (("circles", "closes in"), CIRCLE),
    "reverse-kl": (("circles", "closes in"), CIRCLE),
    "pearson": (("circles", "closes in"), CIRCLE),
    "js": (("closes in",), "the same field as non-saturating"),
    "r1": (("converges",), DAMPED),
    "r2": (("converges",), DAMPED),
    "r1+r2": (("converges",), DAMPED),
    "0-gp": (("converges",), DAMPED),
    "wgan-gp": (("circles",), "does not converge (section 3)"),
    "wgan-gp one-sided": (("circles",), "nothing acts below the slope 0.3: does not converge"),
    "dragan": (("circles",), "the field of wgan-gp's penalty: does not converge"),
    "bcr": (("converges",), "here a penalty on psi^2: converges as R1 does"),
    "clipping": (("circles",), "does not converge (section 3)"),
    "instance noise": (("converges",), "eigenvalues with negative real part: converges (section 3)"),
    "instance noise, least-squares": (("stalls",), "psi = 0 stays an equilibrium with any theta"),
    "instance noise, fading": (("converges", "closes in"), "converges while there is noise"),
    "lecam": (("closes in",), "acts only where D(G) < 0, and there in second order: no linear convergence"),
    "smoothed": (("closes in",), "labels matter at reals alone, where D is 0: as non-saturating"),
    "history": ((), NONE),
    "feature matching": (("G arrives",), "theta = 0 is an equilibrium with any psi"),
    "unrolled": (("converges",), "eigenvalues with negative real part"),
    "consensus": (("converges",), "eigenvalues with negative real part: converges (section 3)"),
    "consensus, rmsprop": ((), NONE),
    "simultaneous": (("diverges",), "|1 + i h| > 1: diverges"),
    "simultaneous, non-saturating": (("circles", "closes in"), "|1 + i h/2| > 1: pushed away near 0, drawn in from afar"),
    "five critic steps": (("circles",), CIRCLE),
    "two rates": (("circles", "closes in"), CIRCLE),
    "rate to zero": ((), "as its rate falls it stops where it is"),
    "momentum": (("diverges",), "diverges on bilinear games (Gidel et al. 2019b)"),
    "negative momentum": (("converges",), "converges linearly on bilinear games (Gidel et al. 2019b)"),
    "negative momentum, simultaneous": (("diverges",), "diverges on bilinear games (Gidel et al. 2019b)"),
    "rmsprop": ((), NONE),
    "adam": ((), NONE),
    "adam, beta1 0": ((), NONE),
    "adam, r1": ((), NONE),
    "adam, lazy r1": ((), NONE),
    "optimistic adam": ((), "without Adam's scaling: the last iterate comes near (Daskalakis et al. 2018)"),
    "optimistic adam, alternating": ((), NONE),
    "extra adam": ((), "without Adam's scaling: converges on bilinear games (Gidel et al. 2019a)"),
    "extra adam, alternating": ((), NONE),
    "lookahead": (("converges",), "converges on bilinear games (Chavdarova et al. 2021)"),
    "lookahead, adam": ((), NONE),
}


def trajectory(method: str, steps: int = STEPS) -> np.ndarray:
    """(steps + 1, 2): theta and psi as Tightrope plays them."""
    from tightrope.bench.diracgan import games  # torch

    return games.play(games.GAMES[method], steps)


def closed_form(method: str, steps: int = STEPS) -> np.ndarray:
    """The same by hand."""
    return closed.play(closed.GAMES[method], steps)


def growth(method: str) -> float | None:
    """The spectral radius of a round at the equilibrium, where a round has a linear part and remembers nothing."""
    rounds = {"descent": 1, "lookahead": 5}.get(_memory(method), 0)
    return closed.growth(closed.GAMES[method], rounds) if rounds else None


def _memory(method: str) -> str:
    kinked = ("wgan-gp", "dragan")  # no linear part at psi = 0
    remembering = ("history", "lecam", "instance noise, fading", "rate to zero")
    if method.startswith(kinked) or method in remembering:
        return "none"
    if method == "lookahead":
        return "lookahead"
    return "descent" if closed.GAMES[method].d_rule is closed.descent or method == "two rates" else "none"


def verdict(path: np.ndarray) -> str:
    """Where a path of theta and psi ends, by its last tenth.

    "converges": within 0.05 of the equilibrium. "G arrives": theta is, psi is not. "stalls": no longer moves, elsewhere.
    "diverges": half as far again as at the start, and a tenth farther than half way through the run. "closes in": a tenth nearer
    than half way through. Otherwise "circles".
    """
    tenth = len(path) // 10
    last, middle = path[-tenth:], path[4 * tenth : 5 * tenth]
    end, half = (np.hypot(*part.T).max() for part in (last, middle))
    if end < 0.05:
        return "converges"
    if end > max(1.5 * np.hypot(*path[0]), 1.1 * half):
        return "diverges"
    if np.abs(last[:, 0]).max() < 0.05 and np.ptp(last[:, 1]) < 0.05:
        return "G arrives"
    if np.ptp(last, axis=0).max() < 1e-3:
        return "stalls"
    return "closes in" if end < 0.9 * half else "circles"


def cases(ask: Ask) -> list[Case]:
    """One a method; there is nothing random in it."""
    if ask.scale is not None:
        raise InputError("bench dirac is not scaled, it takes a minute: leave out --scale.")
    return [Case(benchmark="dirac", method=method, seed=0) for method in ask.methods]


def run(case: Case, folder: Path) -> Figures:
    """Both trajectories of one method."""
    ours, by_hand = trajectory(case.method), closed_form(case.method)
    (theta, psi), tenth = ours[-1], len(ours) // 10
    return {
        "difference": float(np.abs(ours - by_hand).max()),
        "distance": float(np.hypot(*ours[-tenth:].T).max()),
        "theta": float(theta),
        "psi": float(psi),
        "verdict": verdict(ours),
    }


def tables(results: list[Result]) -> list[Table]:
    """One row a method."""
    rows: list[tuple[str, ...]] = []
    for result in sorted(results, key=lambda r: list(METHODS).index(r.case.method)):
        name, figures = result.case.method, result.figures
        stretch, (expected, why) = growth(name), THEORY[name]
        agrees = "" if not expected else " ✓" if figures["verdict"] in expected else " ✗"
        rows.append((
            name, METHODS[name], f"{figures['difference']:.0e}", "–" if stretch is None else f"{stretch:.4f}",
            f"{figures['distance']:.2g}", figures["verdict"] + agrees, why,
        ))  # fmt: skip
    worst = max(result.figures["difference"] for result in results)
    notes = (
        f"{STEPS} rounds from theta = psi = 1. Largest difference of all: {worst:.0e}.",
        "growth: of small distances a round, the spectral radius at the equilibrium; below 1 it converges there.",
        "distance: the largest of the last 100 rounds. ✓: as theory says.",
    )
    head = ("method", "what", "difference to closed form", "growth", "distance", "verdict", "theory")
    return [Table(title="DiracGAN", head=head, rows=rows, notes=notes)]


def picture(results: list[Result], folder: Path) -> np.ndarray:
    """Every method's path as a small picture."""
    from tightrope.bench.diracgan.picture import sheet

    return sheet({result.case.method: closed_form(result.case.method) for result in results}, verdict)
