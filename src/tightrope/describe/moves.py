"""Phases as they were played, as a diagram shows them: who ran, who learned, on what each term was computed, how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tightrope.core.game import Phase
from tightrope.describe.origins import SOURCES, Origin, Passed, Weights, implied, passes, sources
from tightrope.describe.rounds import Played, Table
from tightrope.report.described import Call, Move, Term

LONGEST = 64  # rounds after which a term has to have come back
ROUNDS = 1000  # over which repeats that depend on the round are averaged
Key = tuple[str, int]  # of a call: player, and how deep where it is given what it made itself


class Round(NamedTuple):
    """One round, played on a small and on a larger batch (on one only where `larger` is `size`)."""

    small: dict[int, Played]
    large: dict[int, Played]
    size: int
    larger: int

    def cost(self, phase: int, what: str, batch: int) -> float:
        """FLOPs or kept bytes of a phase with any batch: on the straight line through both."""
        a, b = (float(getattr(played[phase], what)) for played in (self.small, self.large))
        if self.larger == self.size:
            return a / self.size * batch
        return a + (b - a) / (self.larger - self.size) * (batch - self.size)


def every_move(table: Table, play: Callable[[int], Round]) -> tuple[Move, ...]:
    """All phases of a recipe. Rounds after the first are played only where terms of the first come and go."""
    phases, first = table.recipe.phases(), play(0)
    small = first.small
    later = table.round(1, first.size)
    lazy = {i: _missing(small[i], later[i]) for i in later if i in small}
    usual = play(1) if any(lazy.values()) else first
    periods = {i: {name: _period(table, i, name, first.size) for name in names} for i, names in lazy.items()}
    made: dict[Passed, str] = {}
    moves = []
    for i, phase in enumerate(phases):
        if i in small:
            every = periods.get(i, {})
            longest = max(every.values(), default=1)
            whole, part = (shown.cost(i, "flops", table.recipe.batch) if i in shown.small else 0.0 for shown in (first, usual))
            flops = (whole + (longest - 1) * part) / longest
            kept = first.cost(i, "kept", table.recipe.batch)
            moves.append(_move(phase, [p[i] for p in (small, later) if i in p], every, made, flops, kept))
    return tuple(moves)


def _missing(first: Played, later: Played) -> list[str]:
    return [name for name in first.terms if name not in later.terms]


def _period(table: Table, phase: int, term: str, size: int) -> int:
    """In every how many rounds a term appears that is in round 0 and not in round 1."""
    for number in range(2, LONGEST + 1):
        played = table.round(number, size)
        if phase in played and term in played[phase].terms:
            return number
    return LONGEST


def _move(
    phase: Phase, played: list[Played], every: dict[str, int], made: dict[Passed, str], flops: float, kept: float
) -> Move:  # fmt: skip
    times = [phase.times(number) for number in range(ROUNDS)]
    usual = Counter(count for count in times if count).most_common(1)[0][0]
    origins = {name: implied(origin) for one in reversed(played) for name, origin in one.terms.items()}
    calls, places = _calls(phase, played[0], list(origins.values()), made)
    terms = []
    for name, of in origins.items():
        words = sorted(sources(of) - {source for term, source in played[0].untouched if term == name}, key=SOURCES.index)
        words = words or [f"weights of {w.player}" for w in of if isinstance(w, Weights)]
        direct = {p for p in of if isinstance(p, Passed)}
        inner = {q for p in direct for q in passes(p.inputs)}
        outer = sorted({places[p] for p in direct - inner})
        own = {w.player for w in of if isinstance(w, Weights)}
        outer = outer or [i for i, call in enumerate(calls) if call.player in own]
        terms.append(Term(name=name, inputs=tuple(words), calls=tuple(outer), every=every.get(name, 1)))
    return Move(
        name=phase.name, moves=phase.moves, repeat=usual, most=max(times), mean=sum(times) / ROUNDS, every=phase.every,
        fresh=phase.fresh, clock=phase.clock, constrained=phase.constrain is not None, calls=calls, terms=tuple(terms),
        signals=played[0].signals, flops=flops, kept=kept,
    )  # fmt: skip


def _calls(
    phase: Phase, played: Played, terms: list[frozenset[Origin]], made: dict[Passed, str]
) -> tuple[tuple[Call, ...], dict[Passed, int]]:  # fmt: skip
    """The players of a phase, and where each pass stands among them. Passes of one player are one call."""
    here = {use.passed: use.differentiable for use in played.uses}
    ran = dict.fromkeys(p for use in played.uses for p in passes(frozenset({use.passed})))
    used = dict.fromkeys(p for of in terms for p in passes(of))
    everything = list(dict.fromkeys([*ran, *used]))
    depths = {p: _depth(p) for p in everything}
    again = _circling(everything)
    keys: dict[Key, list[Passed]] = {}
    for p in sorted(everything, key=lambda p: depths[p]):
        keys.setdefault((p.player, depths[p] if p.player in again else 0), []).append(p)
    order = sorted(keys, key=lambda key: max(depths[p] for p in keys[key]))
    places = {p: i for i, key in enumerate(order) for p in keys[key]}
    calls = []
    for key in order:
        group = keys[key]
        inputs = {places[o] if isinstance(o, Passed) else o for p in group for o in p.inputs if isinstance(o, (str, Passed))}
        since = None if any(p in here for p in group) else next((made[p] for p in group if p in made), None)
        flows = any(here.get(p, True) for p in group)
        role = "learns" if key[0] in phase.moves else "passes" if flows and key[0] not in phase.keeps else "frozen"
        calls.append(Call(
            player=key[0], role=role, inputs=tuple(sorted(inputs, key=_rank)), output="fake" if group[0].sample else "",
            kept=key[0] in phase.keeps and key[0] not in phase.moves, since=since,
        ))  # fmt: skip
    idle = [player for player in phase.moves if player not in {call.player for call in calls}]
    calls += [Call(player=player, role="learns", inputs=(), output="", kept=False, since=None) for player in idle]
    made.update(dict.fromkeys(here, phase.name))
    return tuple(calls), places


def _circling(everything: list[Passed]) -> set[str]:
    """Players that are given what they made themselves, be it by way of others or in another pass (G of what F made of G's)."""
    given: dict[str, set[str]] = {p.player: set() for p in everything}
    for p in everything:
        given[p.player] |= {o.player for o in p.inputs if isinstance(o, Passed)}

    def behind(player: str) -> set[str]:
        found, ahead = set[str](), list(given[player])
        while ahead:
            other = ahead.pop()
            if other not in found:
                found.add(other)
                ahead += given.get(other, ())
        return found

    return {player for player in given if player in behind(player)}


def _depth(passed: Passed) -> int:
    return 1 + max((_depth(o) for o in passed.inputs if isinstance(o, Passed)), default=0)


def _rank(origin: str | int) -> tuple[int, int]:
    return (1, origin) if isinstance(origin, int) else (0, SOURCES.index(origin))
