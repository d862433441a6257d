"""How a player moves along its gradients: the constants of one optimizer, as a recipe states them. No torch here.

`training/optimizers.py` builds the optimizer that each of them names.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1)."""

    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def lazy(self, every: int) -> Adam:
        """The constants for a player one of whose losses is computed every `every`-th step only (Karras et al. 2020,
        appendix B): with c = every / (every + 1), the rate times c and both decay rates to the power of c."""
        c = every / (every + 1)
        return dataclasses.replace(self, lr=self.lr * c, beta1=self.beta1**c, beta2=self.beta2**c)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RMSprop:
    """RMSprop (Tieleman & Hinton 2012): the gradient over the root of its running mean square."""

    lr: float
    decay: float = 0.99
    eps: float = 1e-8


@dataclasses.dataclass(frozen=True, kw_only=True)
class SGD:
    """Gradient descent, with heavy-ball momentum; a negative momentum is allowed (Gidel et al. 2019b)."""

    lr: float
    momentum: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimisticAdam:
    """Adam whose step is twice this direction less the last one (Daskalakis et al. 2018, algorithm 1)."""

    lr: float
    beta1: float = 0.5
    beta2: float = 0.9
    eps: float = 1e-8


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtraAdam:
    """Extragradient with Adam's directions (Gidel et al. 2019, algorithm 4): every other step only looks ahead.

    The gradient there is then applied from where the player stood. Moments are updated at both.
    """

    lr: float
    beta1: float = 0.5
    beta2: float = 0.9
    eps: float = 1e-8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lookahead:
    """Every `every` steps of `inner`, go back to `pull` of the way from the last such place (Chavdarova et al. 2021).

    Give all players the same `every`, so that they step back together (their algorithm 1).
    """

    inner: Adam | RMSprop | SGD
    every: int = 5
    pull: float = 0.5

    @property
    def lr(self) -> float:
        return self.inner.lr


Rule = Adam | RMSprop | SGD | OptimisticAdam | ExtraAdam | Lookahead
