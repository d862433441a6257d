"""What the guardian concludes: one of a small set of verdicts, with its evidence and a sentence a person understands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# from the most urgent down
NAMES = (
    "non-finite",
    "diverging",
    "duplicating",
    "mode dropping",
    "shrinking",
    "D overpowers",
    "G overpowers",
    "oscillating",
    "stalled",
    "memorising",
    "converged",
    "healthy",
)
GOOD = ("healthy", "converged")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One conclusion.

    Attributes:
        name: one of NAMES.
        since: the clock (seen samples; steps in a foreign log) at which it began to be so.
        sure: 0 to 1.
        evidence: the numbers it rests on, by name.
        sentence: what is the matter, in plain words with these numbers.
    """

    name: str
    since: int
    sure: float
    evidence: dict[str, float]
    sentence: str

    @property
    def good(self) -> bool:
        return self.name in GOOD

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
