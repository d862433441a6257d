"""Neighbours and balls against every distance measured one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics import neighbours
from tightrope.metrics.neighbours import nearest, within
from toys import normal


def every(queries: Tensor, references: Tensor) -> Tensor:
    return (queries.double()[:, None] - references.double()[None]).square().sum(-1).sqrt()


def with_duplicates(d: int, shift: float) -> tuple[Tensor, Tensor]:
    references = normal(150, d, 1)
    references = torch.cat([references, references[:40], references[:20], references[:1].expand(30, d)]) + shift
    return torch.cat([normal(90, d, 2) + shift, references[:30]]), references


@pytest.mark.parametrize("shift", [0.0, 1e4], ids=["at the origin", "far from it"])
@pytest.mark.parametrize("d", [1, 2, 64])
def test_distance_order_and_ties(d: int, shift: float) -> None:
    queries, references = with_duplicates(d, shift)
    expected, order = every(queries, references).sort(dim=1, stable=True)
    found = nearest(queries, references, 5)
    torch.testing.assert_close(found.distance, expected[:, :5], rtol=1e-12, atol=0)
    assert torch.equal(found.distance == 0, expected[:, :5] == 0)
    if d > 1:
        assert torch.equal(found.index, order[:, :5])


def test_apart_leaves_out_the_sample_and_not_its_duplicates() -> None:
    _, references = with_duplicates(8, 0.0)
    expected = every(references, references).fill_diagonal_(torch.inf).sort(dim=1, stable=True)
    found = nearest(references, references, 3, apart=True)
    assert torch.equal(found.index, expected.indices[:, :3])
    torch.testing.assert_close(found.distance, expected.values[:, :3], rtol=1e-12, atol=0)
    assert found.distance[0, 0] == 0 and found.index[0, 0] == 150


def test_a_lattice_of_ties() -> None:
    axis = torch.arange(9.0)
    lattice = torch.cartesian_prod(axis, axis)
    expected, order = every(lattice + 0.5, lattice).sort(dim=1, stable=True)
    found = nearest(lattice + 0.5, lattice, 4)
    torch.testing.assert_close(found.distance, expected[:, :4], rtol=1e-15, atol=0)  # the last bit is the processor's
    assert torch.equal(found.index, order[:, :4])
    inside = within(lattice, lattice, torch.ones(81)).per_query.view(9, 9)
    assert inside[4, 4] == 5 and inside[0, 4] == 4 and inside[0, 0] == 3
    assert (within(lattice, lattice, torch.ones(81), strict=True).per_query == 1).all()


def test_digits_that_a_matrix_product_in_float32_loses() -> None:
    base = 1_000 + normal(1, 512, 3)
    references = torch.cat([base + 2**-12, base + 2**-13, base])
    found = nearest(base, references, 3)
    assert found.index.tolist() == [[2, 1, 0]] and found.distance[0, 0] == 0
    torch.testing.assert_close(found.distance, every(base, references).sort().values)


@pytest.mark.parametrize("block", [(3, 41), (7, 33), (1_000, 1)])
def test_every_block_size_gives_the_same(monkeypatch: pytest.MonkeyPatch, block: tuple[int, int]) -> None:
    queries, references = with_duplicates(48, 100.0)
    whole = nearest(queries, references, 4), nearest(references, references, 2, apart=True)
    radii = whole[1].distance[:, 1]
    balls = within(references, references, radii), within(queries, references, radii, strict=True)
    monkeypatch.setattr(neighbours, "BLOCK", block)
    monkeypatch.setattr(neighbours, "PAIRS", 100)
    parts = nearest(queries, references, 4), nearest(references, references, 2, apart=True)
    assert all(torch.equal(a, b) for x, y in zip(whole, parts, strict=True) for a, b in zip(x, y, strict=True))
    parts = within(references, references, radii), within(queries, references, radii, strict=True)
    assert all(torch.equal(a, b) for x, y in zip(balls, parts, strict=True) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("strict", [False, True])
def test_balls_that_end_on_a_sample(strict: bool) -> None:
    queries, references = with_duplicates(16, 0.0)
    radii = nearest(references, references, 3, apart=True).distance[:, -1]
    queries = torch.cat([queries, references])
    distance = torch.stack(
        [
            neighbours.distances(queries, references, torch.full((len(references),), i), torch.arange(len(references)))
            for i in range(len(queries))
        ]
    )
    inside = distance < radii if strict else distance <= radii
    found = within(queries, references, radii, strict=strict)
    assert torch.equal(found.per_query, inside.sum(1)) and torch.equal(found.per_centre, inside.sum(0))


def test_negative_zero_is_zero() -> None:
    assert nearest(torch.tensor([[0.0]]), torch.tensor([[1.0], [-0.0], [0.0]]), 2).index.tolist() == [[1, 2]]


def test_bad_input() -> None:
    x = normal(10, 3, 0)
    for k, apart in ((0, False), (11, False), (10, True)):
        with pytest.raises(InputError, match="choose k in 1"):
            nearest(x, x, k, apart=apart)
    for bad, sentence in (
        (x[:0], "shape"),
        (x[0], "shape"),
        (x[:, :0], "shape"),
        (x[:, :2], "one extractor"),
        (x / 0, "NaN or an infinity"),
    ):
        with pytest.raises(InputError, match=sentence):
            nearest(x, bad)
        with pytest.raises(InputError, match=sentence):
            within(bad, x, torch.ones(10))
    with pytest.raises(InputError, match="one set"):
        nearest(x[:5], x, apart=True)
    for radii in (torch.ones(9), -torch.ones(10), torch.ones(10) * torch.nan):
        with pytest.raises(InputError, match="radii"):
            within(x, x, radii)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, torch.int64])
def test_every_kind_of_number(kind: torch.dtype) -> None:
    x = torch.tensor([[0, 0], [3, 4], [6, 8]], dtype=kind)
    assert nearest(x, x, 2, apart=True).distance.tolist() == [[5, 10], [5, 5], [5, 10]]


def test_members_are_the_holders_of_each_different_sample() -> None:
    x = torch.tensor([[1.0], [2.0], [1.0], [1.0]])
    assert neighbours.members(x, 2).tolist() == [[0, 2], [1, -1]]


def test_remembered_neighbours_are_the_same_and_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (torch.randn(60, 4, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    asked = [(x, x, 3, True), (x, x, 5, True), (x, x, 1, True), (y, x, 1, False), (y, x, 7, False), (x, y, 1, False)]
    plain = [nearest(q, r, k, apart=apart) for q, r, k, apart in asked]
    searches, search = [], neighbours._search
    monkeypatch.setattr(neighbours, "_search", lambda *given: searches.append(given) or search(*given))
    with neighbours.remembering():
        again = [nearest(q, r, k, apart=apart) for q, r, k, apart in asked]
    assert len(searches) == 4  # seven neighbours are more than were searched ahead
    assert all(torch.equal(a.distance, b.distance) and torch.equal(a.index, b.index) for a, b in zip(plain, again, strict=True))
