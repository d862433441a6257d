"""Nearest neighbours and balls by exact Euclidean distance, in blocks: memory is bounded whatever n and m.

A matrix product gives |q - r|^2 = |q|^2 + |r|^2 - 2 q.r with a rounding error that is known beforehand. It only chooses:
whatever it cannot tell apart is measured again by differences in float64. So duplicates are at exactly 0, order and ties
are right, and the result is the same for every block size.

Axes: n queries, m references or centres, d features, k neighbours, u different references, t candidates.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tightrope.core.errors import InputError

BLOCK = (1_024, 4_096)  # queries and references of one product: 32 MB of float64
PAIRS = 1 << 21  # differences held at once: 16 MB
SPARE = 8  # candidates beyond k, so that rounding seldom leaves a doubt


AHEAD = 5  # neighbours that are searched at least where they are remembered


class Nearest(NamedTuple):
    """Neighbours in ascending order of distance, equal distances in order of index.

    Attributes:
        distance: in the features' units, float64.
        index: into the references.
    """

    distance: Float[Tensor, "n k"]
    index: Int[Tensor, "n k"]  # type: ignore[assignment]  # hides tuple.index, which nobody misses


Memory = dict[tuple[Any, ...], tuple[Nearest, Tensor, Tensor]]
_REMEMBERED: contextvars.ContextVar[Memory | None] = contextvars.ContextVar("remembered neighbours", default=None)


class Within(NamedTuple):
    """Who is in whose ball.

    Attributes:
        per_query: balls that hold the query.
        per_centre: queries that the centre's ball holds.
    """

    per_query: Int[Tensor, " n"]
    per_centre: Int[Tensor, " m"]


def nearest(queries: Float[Tensor, "n d"], references: Float[Tensor, "m d"], k: int = 1, *, apart: bool = False) -> Nearest:
    """The k references nearest to each query.

    Args:
        apart: the queries are the references, in the same order, and none is its own neighbour; a duplicate of it is.

    Raises:
        InputError: see `feature_sets`; k below 1 or above the references at hand; `apart` with sets of different size.
    """
    queries, references = feature_sets("nearest", queries=queries, references=references)
    at_hand = len(references) - apart
    if not 1 <= k <= at_hand:
        raise InputError(f"nearest: k is {k} and there are {at_hand} references to choose from; choose k in 1 ... {at_hand}.")
    if apart and queries.shape != references.shape:
        raise InputError("nearest: apart=True means that queries and references are one set; give the same tensor twice.")
    memory = _REMEMBERED.get()
    if memory is None:
        return _search(queries, references, k, apart)
    key = queries.data_ptr(), references.data_ptr(), queries.shape, references.shape, apart
    if key not in memory or memory[key][0].index.shape[1] < k:
        found = _search(queries, references, max(k, min(AHEAD, at_hand)), apart)
        memory[key] = found, queries, references  # held, so that no other tensor comes to lie in their place
    found = memory[key][0]
    return Nearest(found.distance[:, :k], found.index[:, :k])


@contextlib.contextmanager
def remembering() -> Iterator[None]:
    """Within it, `nearest` of the same tensors is searched once: figures that share neighbours cost one search."""
    token = _REMEMBERED.set({})
    try:
        yield
    finally:
        _REMEMBERED.reset(token)


def _search(queries: Float[Tensor, "n d"], references: Float[Tensor, "m d"], k: int, apart: bool) -> Nearest:
    holders = members(references, k + apart)
    unique = references[holders[:, 0]]
    own = torch.arange(len(queries)) if apart else torch.full((len(queries),), -1)
    centre = unique.double().mean(0)
    parts = []
    for rows in torch.arange(len(queries)).split(BLOCK[0]):
        parts.append(_nearest_block(queries[rows], unique, holders, own[rows], k, centre))
    return Nearest(*(torch.cat(part) for part in zip(*parts, strict=True)))


def within(
    queries: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], radii: Float[Tensor, " m"], *, strict: bool = False
) -> Within:
    """How many queries are in each centre's ball: distance <= radius, or distance < radius when `strict`.

    Raises:
        InputError: see `feature_sets`; radii that are not m finite numbers of at least 0.
    """
    queries, centres = feature_sets("within", queries=queries, centres=centres)
    radii = radii.detach().to("cpu", torch.float64)
    if radii.shape != (len(centres),) or not (torch.isfinite(radii) & (radii >= 0)).all():
        raise InputError(f"within: radii must be {len(centres)} finite numbers of at least 0, one a centre.")
    origin = centres.double().mean(0)
    per_query, per_centre = torch.zeros(len(queries), dtype=torch.long), torch.zeros(len(centres), dtype=torch.long)
    for rows in torch.arange(len(queries)).split(BLOCK[0]):
        block = queries[rows].double() - origin
        for columns in torch.arange(len(centres)).split(BLOCK[1]):
            other = centres[columns].double() - origin
            margin = squared_distances(block, other) - radii[columns].square()
            inside = margin < 0
            row, column = (margin.abs() <= _rounding(block, other)[:, None]).nonzero(as_tuple=True)
            row_distance, limit = distances(queries, centres, rows[row], columns[column]), radii[columns[column]]
            inside[row, column] = row_distance < limit if strict else row_distance <= limit
            per_query[rows] += inside.sum(1)
            per_centre[columns] += inside.sum(0)
    return Within(per_query, per_centre)


def distances(
    queries: Float[Tensor, "n d"], references: Float[Tensor, "m d"], row: Int[Tensor, " pairs"], column: Int[Tensor, " pairs"]
) -> Float[Tensor, " pairs"]:
    """|queries[row] - references[column]| by differences in float64: 0 for equal samples and for no others."""
    size = max(1, PAIRS // queries.shape[1])
    found = torch.empty(len(row), dtype=torch.float64)
    for part in torch.arange(len(row)).split(size):
        gaps = queries[row[part]].double() - references[column[part]].double()
        found[part] = torch.linalg.vector_norm(gaps, dim=1)
    return found


def members(references: Float[Tensor, "m d"], most: int = 1) -> Int[Tensor, "u most"]:
    """For each different reference the first `most` indices that hold it, -1 where there are fewer.

    Without it, a set of a few samples repeated would tie with itself everywhere.
    """
    groups: dict[bytes, list[int]] = {}
    for index, row in enumerate((references + 0.0).numpy()):  # + 0.0: -0.0 equals 0.0 and has other bytes
        group = groups.setdefault(hashlib.blake2b(row.tobytes(), digest_size=16).digest(), [])
        if len(group) < most:
            group.append(index)
    return torch.tensor([group + [-1] * (most - len(group)) for group in groups.values()])


def feature_sets(caller: str, *, least: int = 1, **sets: Tensor) -> tuple[Tensor, ...]:
    """The sets as they can be compared: on the CPU, detached, float64 where they are and else float32.

    Raises:
        InputError: a set is not (n, d) with n >= `least` and d >= 1, holds a NaN or an infinity, or has another d.
    """
    width = next(iter(sets.values())).shape[-1:]
    for name, features in sets.items():
        if features.ndim != 2 or len(features) < least or not features.shape[1]:
            raise InputError(f"{caller}: {name} has the shape {tuple(features.shape)}; (n, d) with n >= {least} was expected.")
        if not torch.isfinite(features).all():
            raise InputError(f"{caller}: {name} holds a NaN or an infinity; look at the samples it comes from.")
        if features.shape[-1:] != width:
            first = next(iter(sets))
            raise InputError(f"{caller}: {first} has {width[0]} features and {name} {features.shape[1]}; use one extractor.")
    return tuple(x.detach().to("cpu", torch.float64 if x.dtype == torch.float64 else torch.float32) for x in sets.values())


def _nearest_block(
    queries: Float[Tensor, "n d"], unique: Tensor, holders: Tensor, own: Tensor, k: int, centre: Tensor
) -> tuple[Tensor, Tensor]:
    block = queries.double() - centre
    t = min(len(unique), holders.shape[1] + SPARE)
    value, group = torch.empty(len(block), 0, dtype=torch.float64), torch.empty(len(block), 0, dtype=torch.long)
    doubt = torch.zeros(len(block), dtype=torch.float64)
    for columns in torch.arange(len(unique)).split(BLOCK[1]):
        other = unique[columns].double() - centre
        squares, position = squared_distances(block, other).topk(min(t, len(columns)), largest=False)
        doubt = torch.maximum(doubt, _rounding(block, other))
        value, group = torch.cat([value, squares], 1), torch.cat([group, columns[position]], 1)
        value, chosen = value.topk(min(t, value.shape[1]), largest=False)
        group = group.gather(1, chosen)
    row = torch.arange(len(block)).repeat_interleave(t)
    exact = distances(queries, unique, row, group.flatten()).view(-1, t)
    distance, index = _first(exact, group, holders, own, k)
    if t < len(unique):
        for i in (distance[:, -1].square() >= value[:, -1] - doubt).nonzero()[:, 0]:
            everyone = torch.arange(len(unique))
            exact = distances(queries, unique, i.expand(len(unique)), everyone)
            distance[i], index[i] = (x[0] for x in _first(exact[None], everyone[None], holders, own[i : i + 1], k))
    return distance, index


def _first(
    distance: Float[Tensor, "n t"], group: Int[Tensor, "n t"], holders: Int[Tensor, "u most"], own: Int[Tensor, " n"], k: int
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """The first k samples by (distance, index) among the members of the candidates."""
    index, place = holders[group].flatten(1).sort(dim=1)
    distance = distance[:, :, None].expand(*group.shape, holders.shape[1]).flatten(1).gather(1, place)
    absent = (index < 0) | (index == own[:, None])
    distance, place = distance.masked_fill(absent, torch.inf).sort(dim=1, stable=True)
    return distance[:, :k], index.gather(1, place[:, :k])


def squared_distances(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Squared distances up to `_rounding`."""
    squares = torch.addmm(b.square().sum(1)[None], a, b.T, alpha=-2)
    return squares.add_(a.square().sum(1)[:, None])


def _rounding(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    """A bound on the error of `squared_distances` (Higham 2002, section 3.1: d roundings a product), for each row."""
    span = a.square().sum(1).sqrt() + b.square().sum(1).max().sqrt()
    return (a.shape[1] + 8) * torch.finfo(torch.float64).eps * span.square()
