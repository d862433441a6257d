"""Ways through a space, frame by frame, so that a film of any length needs the memory of one batch.

Axes: N places, S frames of a way from one place to the next, P parts, D width of a part, K classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core import labels as labelling
from tightrope.core.errors import InputError
from tightrope.explore.mixing import joined
from tightrope.explore.spaces import Places, Space

FRAMES = 16  # decoded at once


def walk(space: Space, stops: Places, steps: int, *, closed: bool = True, eased: bool = False) -> Iterator[Places]:
    """Places from each stop to the next, `steps` a way, one at a time; back to the first where `closed`, else to the last.

    Classes are mixed along the way from each stop's to the next one's. `eased` slows down at every stop.

    Raises:
        InputError: fewer than two stops or no step.
    """
    if len(stops) < 2 or steps < 1:
        raise InputError(f"walk: {len(stops)} stops, {steps} frames from one to the next; give two --seeds and 1 frame at least.")
    t = torch.arange(steps) / steps
    t = (1 - torch.cos(torch.pi * t)) / 2 if eased else t
    return _ways(space, stops, t, closed)


def _ways(space: Space, stops: Places, t: Float[Tensor, " s"], closed: bool) -> Iterator[Places]:
    order = [*range(len(stops)), 0] if closed else list(range(len(stops)))
    for here, there in itertools.pairwise(order):
        at = space.between(stops.at[here], stops.at[there], t)
        labels = _shares(space, stops, here, there, t)
        for i in range(len(t)):
            yield Places(at[i : i + 1], None if labels is None else labels[i : i + 1])
    if not closed:
        yield stops[-1:]


def _shares(space: Space, stops: Places, here: int, there: int, t: Float[Tensor, " s"]) -> Float[Tensor, "s k"] | None:
    """Shares of classes on the way. Two of one class are one-hot all along."""
    if stops.labels is None:
        return None
    whole = labelling.weights(stops.labels, len(space.generator.spec.classes))
    return (1 - t[:, None]) * whole[here] + t[:, None] * whole[there]


def length(stops: int, steps: int, closed: bool = True) -> int:
    """How many places `walk` gives."""
    return stops * steps if closed else (stops - 1) * steps + 1


def abreast(space: Space, stops: Places, steps: int, cells: int, *, eased: bool = False) -> Iterator[Places]:
    """The closed walk for `cells` walkers, each a stop ahead of the one before: the places of a moment after each other."""
    count = len(stops)
    ways = [walk(space, stops[[(cell + i) % count for i in range(count)]], steps, eased=eased) for cell in range(cells)]
    return (place for moment in zip(*ways, strict=True) for place in moment)


def decoded(space: Space, places: Iterator[Places], width: int = 1) -> Iterator[Float[Tensor, "w *x"]]:
    """Samples of places that are read as they are needed, `width` of them a frame."""
    size = width * max(1, FRAMES // width)
    while many := list(itertools.islice(places, size)):
        yield from space.decode(joined(*many)).split(width)
