"""The DiracGAN as Tightrope plays it: its own objectives, penalties, shaping and optimizers on two parameters, in float64.

Mescheder, Geiger & Nowozin 2018, definition 2.1: real data are the point 0, G makes the point theta, and D(x) = psi x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tightrope import penalties
from tightrope.core.game import Knobs
from tightrope.core.rules import SGD, Adam, ExtraAdam, Lookahead, OptimisticAdam, RMSprop, Rule
from tightrope.core.schedules import linear
from tightrope.objectives import ALL, Objective, non_saturating, relativistic, wasserstein
from tightrope.objectives.matching import History, squared_feature_matching
from tightrope.objectives.shaping import smoothed, unrolled
from tightrope.penalties import LeCam, r1, r2
from tightrope.training.optimizers import Optimizer

START = (1.0, 1.0)  # theta, psi
RATE = 0.1  # of gradient descent
REG = 0.3  # gamma of R1 and R2; the slope that WGAN-GP and DRAGAN ask for; the limit of clipping
DESCENT = SGD(lr=RATE)
SD = 0.7  # of instance noise
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)  # the expectation over Gaussian noise, as a weighted sum
REAL = torch.zeros(1, 1, dtype=torch.float64)


class Point(nn.Module):
    """G: its parameter is its only sample."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[theta]], dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.theta.clone()


class Slope(nn.Module):
    """D(x) = psi x."""

    def __init__(self, psi: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.psi * x.squeeze(1)


@dataclass
class State:
    """What losses see: the players, the knobs, and what a regulariser remembers."""

    G: Point
    D: Slope
    knobs: Knobs = field(default_factory=Knobs)
    memory: Any = None


Loss = Callable[[State], Tensor]


@dataclass(frozen=True, kw_only=True)
class Method:
    """How the two players move.

    Attributes:
        d, g: their losses; neither is detached, each player takes the derivative in its own parameter.
        d_rule, g_rule: optimizers.
        simultaneous: both look at the same point; otherwise G sees D's new parameter.
        constrain: after D's step.
        repeat: D's steps a round.
        lazy: a loss of its own for D after every n-th round, and n.
        consensus: weight of the joint gradient's squared length; None is the plain game.
        knobs: of the progress, 0 to 1.
        memory: made from the state at the start.
    """

    d: Loss
    g: Loss
    d_rule: Rule = DESCENT
    g_rule: Rule = DESCENT
    simultaneous: bool = False
    constrain: Callable[[nn.Module], None] | None = None
    repeat: int = 1
    lazy: tuple[Loss, int] | None = None
    consensus: float | None = None
    knobs: Callable[[float], Knobs] = lambda progress: Knobs()
    memory: Callable[[State], Any] = lambda state: None


def play(method: Method, steps: int) -> np.ndarray:
    """(steps + 1, 2): theta and psi at the start and after every round."""
    state = State(Point(START[0]), Slope(START[1]))
    state.memory = method.memory(state)
    d, g = Optimizer(state.D, method.d_rule), Optimizer(state.G, method.g_rule)
    path = [START]
    for step in range(steps):
        state.knobs = method.knobs(step / steps)
        _round(method, state, d, g, step)
        path.append((state.G.theta.item(), state.D.psi.item()))
    return np.array(path)


def _round(method: Method, state: State, d: Optimizer, g: Optimizer, step: int) -> None:
    if method.consensus is not None:
        v = penalties.field((method.d(state), d.parameters), (method.g(state), g.parameters))
        both = [*d.parameters, *g.parameters]
        _aim(penalties.followed(v, both) + method.consensus * penalties.consensus(v), *both)
    elif method.simultaneous:
        _aim(method.d(state), *d.parameters)
        _aim(method.g(state), *g.parameters)
    if method.consensus is not None or method.simultaneous:
        d.step(state.knobs)
        g.step(state.knobs)
        return
    for _ in range(method.repeat):
        _aim(method.d(state), *d.parameters)
        d.step(state.knobs)
        if method.constrain:
            method.constrain(state.D)
    if method.lazy and step % method.lazy[1] == 0:
        _aim(method.lazy[0](state), *d.parameters)
        d.step(state.knobs)
    _aim(method.g(state), *g.parameters)
    g.step(state.knobs)


def _aim(loss: Tensor, *parameters: nn.Parameter) -> None:
    """Leave a loss's derivatives where the optimizers look for them."""
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient


# ---------------------------------------------------------------- the methods
def plain(objective: Objective, d: Loss | None = None, g: Loss | None = None, **how: Any) -> Method:
    """An objective, with further terms for each player."""

    def d_loss(state: State) -> Tensor:
        loss = objective.d(state.D(REAL), state.D(state.G()))
        return loss if d is None else loss + d(state)

    def g_loss(state: State) -> Tensor:
        loss = objective.g(state.D(state.G()), state.D(REAL))
        return loss if g is None else loss + g(state)

    return Method(d=d_loss, g=g_loss, **how)


def noisy(objective: Objective, **how: Any) -> Method:
    """Reals and fakes with instance noise: the objective's expectation over it."""

    def expected(loss: Callable[[Tensor, Tensor], Tensor], state: State) -> Tensor:
        def at(node: Tensor) -> Tensor:
            shift = state.knobs.noise * node
            return loss(state.D(REAL + shift), state.D(state.G() + shift))

        return (torch.vmap(at)(torch.from_numpy(NODES)) * torch.from_numpy(WEIGHTS / WEIGHTS.sum())).sum()

    return Method(
        d=lambda s: expected(objective.d, s), g=lambda s: expected(lambda real, fake: objective.g(fake, real), s), **how
    )


def lecam(state: State) -> Tensor:
    """LeCam's term in D's phase."""
    logits = state.D(REAL), state.D(state.G())
    state.memory.update(*logits)
    return 0.5 * state.memory(*logits)


def past(net: Callable[[State], nn.Module], index: int) -> Loss:
    """The distance of one player to the mean of its past."""

    def term(state: State) -> Tensor:
        history: History = state.memory[index]
        history.update(net(state))
        return 0.5 * history.penalty(net(state))

    return term


def thinking_ahead(state: State) -> Tensor:
    """G's loss against D after five imagined steps."""
    fake = state.G()
    ahead = unrolled(state.D, lambda d: non_saturating.d(d(REAL), d(fake)), steps=5, lr=RATE)
    return non_saturating.g(ahead(fake), None)


def _both(rule: Rule, **how: Any) -> dict[str, Any]:
    return {"d_rule": rule, "g_rule": rule, **how}


GRADIENT: dict[str, Method] = {
    "r1": plain(non_saturating, lambda s: REG / 2 * r1(s.D, REAL).mean()),
    "r2": plain(non_saturating, lambda s: REG / 2 * r2(s.D, s.G()).mean()),
    "r1+r2": plain(relativistic, lambda s: REG / 2 * (r1(s.D, REAL) + r2(s.D, s.G())).mean()),
    "0-gp": plain(non_saturating, lambda s: REG / 2 * penalties.interpolated(s.D, REAL, s.G(), target=0).mean()),
    "wgan-gp": plain(wasserstein, lambda s: REG / 2 * penalties.interpolated(s.D, REAL, s.G(), target=REG).mean()),
    "wgan-gp one-sided": plain(
        wasserstein, lambda s: REG / 2 * penalties.interpolated(s.D, REAL, s.G(), target=REG, one_sided=True).mean()
    ),
    "dragan": plain(
        non_saturating, lambda s: REG / 2 * penalties.dragan(s.D, REAL, target=REG, noise=torch.full_like(REAL, 0.2)).mean()
    ),
    "bcr": plain(
        non_saturating,
        lambda s: penalties.balanced(s.D(REAL), s.D(REAL + 1), s.D(s.G()), s.D(s.G() + 1), real=REG / 4, fake=REG / 4),
    ),
}
OTHERS: dict[str, Method] = {
    "clipping": plain(wasserstein, constrain=lambda d: penalties.clip_(d, REG)),
    "instance noise": noisy(non_saturating, knobs=lambda progress: Knobs(noise=SD)),
    "instance noise, least-squares": noisy(ALL["least-squares"], knobs=lambda progress: Knobs(noise=SD)),
    "instance noise, fading": noisy(non_saturating, knobs=lambda progress: Knobs(noise=linear(SD, 0, progress))),
    "lecam": plain(non_saturating, lecam, memory=lambda s: LeCam(start=0).double()),
    "smoothed": plain(smoothed(0.9)),
    "history": plain(
        non_saturating, past(lambda s: s.D, 0), past(lambda s: s.G, 1), memory=lambda s: (History(s.D), History(s.G))
    ),
    "feature matching": replace(
        plain(non_saturating), g=lambda s: squared_feature_matching(s.D(REAL)[:, None], s.D(s.G())[:, None])
    ),
    "unrolled": replace(plain(non_saturating), g=thinking_ahead),
    "consensus": plain(non_saturating, consensus=1.0),
    "consensus, rmsprop": plain(non_saturating, consensus=1.0, **_both(RMSprop(lr=0.01))),
}
OPTIMIZERS: dict[str, Method] = {
    "simultaneous": plain(wasserstein, simultaneous=True),
    "simultaneous, non-saturating": plain(non_saturating, simultaneous=True),
    "five critic steps": plain(wasserstein, repeat=5),
    "two rates": plain(non_saturating, g_rule=SGD(lr=RATE / 4)),
    "rate to zero": plain(non_saturating, simultaneous=True, knobs=lambda progress: Knobs(lr=linear(1, 0, progress))),
    "momentum": plain(wasserstein, **_both(SGD(lr=RATE, momentum=0.2))),
    "negative momentum": plain(wasserstein, **_both(SGD(lr=2 * RATE, momentum=-0.5))),
    "negative momentum, simultaneous": plain(wasserstein, simultaneous=True, **_both(SGD(lr=RATE, momentum=-0.5))),
    "rmsprop": plain(wasserstein, **_both(RMSprop(lr=0.02))),
    "adam": plain(wasserstein, **_both(Adam(lr=0.02, beta1=0.5, beta2=0.9))),
    "adam, beta1 0": plain(wasserstein, **_both(Adam(lr=0.02, beta1=0.0, beta2=0.99))),
    "adam, r1": plain(non_saturating, lambda s: REG / 2 * r1(s.D, REAL).mean(), **_both(Adam(lr=0.02, beta1=0.0, beta2=0.99))),
    "adam, lazy r1": plain(
        non_saturating,
        lazy=(lambda s: 4 * REG / 2 * r1(s.D, REAL).mean(), 4),
        d_rule=Adam(lr=0.02, beta1=0, beta2=0.99).lazy(4),
        g_rule=Adam(lr=0.02, beta1=0, beta2=0.99),
    ),
    "optimistic adam": plain(wasserstein, simultaneous=True, **_both(OptimisticAdam(lr=0.02))),
    "optimistic adam, alternating": plain(wasserstein, **_both(OptimisticAdam(lr=0.02))),
    "extra adam": plain(wasserstein, simultaneous=True, **_both(ExtraAdam(lr=0.02))),
    "extra adam, alternating": plain(wasserstein, **_both(ExtraAdam(lr=0.02))),
    "lookahead": plain(wasserstein, simultaneous=True, **_both(Lookahead(inner=SGD(lr=RATE)))),
    "lookahead, adam": plain(wasserstein, **_both(Lookahead(inner=Adam(lr=0.02, beta1=0.5, beta2=0.9)))),
}
GAMES: dict[str, Method] = {name: plain(objective) for name, objective in ALL.items()} | GRADIENT | OTHERS | OPTIMIZERS
