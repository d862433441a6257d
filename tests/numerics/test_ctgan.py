"""CTGAN's parts: layers that look categories up, conditions, training by sampling, its losses by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F

from tightrope.core.blocks import Block
from tightrope.core.game import Batch, Knobs
from tightrope.core.spec import DataSpec
from tightrope.core.strata import Strata
from tightrope.networks.ctgan import Beside, Chain, Conditions, CTGANCritic, CTGANGenerator
from tightrope.recipes.ctgan import CTGAN, frequencies
from toys import BLOCKS, ToyDataset, normal

TOY: dict[str, Any] = {"width": 16, "d_width": 16, "z": 4, "batch": 8, "pack": 2}
NOTHING = float("nan")


def test_a_layer_beside_is_a_linear_layer_of_all() -> None:
    layer, x, place = Beside(3, 4, 5), normal(6, 3, 0), torch.tensor([[0, 3], [1, 2], [2, 2], [3, 0], [0, 1], [1, 1]])
    assert layer.table is not None
    wanted = F.linear(
        torch.cat([x, F.one_hot(place, 4).sum(1).float()], 1), torch.cat([layer.weight, layer.table.t()], 1), layer.bias
    )
    assert torch.allclose(layer(x, place), wanted, atol=1e-6)
    assert torch.allclose(layer(x), F.linear(x, layer.weight, layer.bias))


def test_a_chain_is_layers_that_see_all_before_them_and_the_category() -> None:
    torch.manual_seed(0)
    chain, z, place = Chain(3, 4, [5, 6, 2]).eval(), normal(7, 3, 0), torch.arange(7) % 4
    assert chain.table is not None
    seen, start = z, 0
    for i, (out, norm) in enumerate(zip(chain.outs, [*chain.norms, None], strict=True)):
        columns = [w[start - sum(chain.outs[:k]) :][:out] for k, w in enumerate(chain.weights[: i + 1])]
        weight = torch.cat([*columns, chain.table[:, start : start + out].t()], 1)
        y = F.linear(torch.cat([seen, F.one_hot(place, 4).float()], 1), weight, chain.bias[start : start + out])
        assert weight.abs().max() <= weight.shape[1] ** -0.5  # as nn.Linear begins
        seen, start = y if norm is None else torch.cat([seen, norm(y).relu()], 1), start + out
    assert torch.allclose(chain(z, place), seen, atol=1e-5)


def test_conditions_are_drawn_by_column_and_frequency_and_the_rarest_known_one_is_taken() -> None:
    conditions = Conditions(BLOCKS, [torch.tensor([70.0, 30.0, 0.0])])
    drawn = torch.bincount(conditions(normal(20_000, 4, 0)), minlength=3) / 20_000
    assert torch.allclose(drawn, torch.tensor([0.7, 0.3, 0.0]), atol=0.02)
    assert drawn[2] == 0
    known = torch.full((3, BLOCKS[-1].stop), NOTHING)
    known[0, :3] = torch.tensor([0.0, 0.0, 1.0])
    known[1, :3] = torch.tensor([1.0, 0.0, 0.0])
    z = normal(3, 4, 1)
    assert conditions(z, known)[:2].tolist() == [2, 0]
    assert conditions(z, known)[2] == conditions(z)[2]
    two = Conditions([*BLOCKS[:1], *BLOCKS[2:3]], [torch.tensor([70.0, 30.0, 5.0])])
    assert len(two.places) == 3  # a number's modes are no condition


def test_frequencies_are_those_of_the_coding_also_of_digits() -> None:
    digits = tuple(type(BLOCKS[0])(column="zip", kind="onehot", role="digit", start=2 * i, stop=2 * i + 2) for i in range(2))
    coding = {"columns": [{"name": "zip", "counts": [5, 3, 1]}]}
    spec = DataSpec(modality="table", shape=(4,), blocks=digits, coding=coding)
    assert [part.tolist() for part in frequencies(spec)] == [[8.0, 1.0], [6.0, 3.0]]


def test_training_by_sampling_says_one_category_that_the_row_has() -> None:
    data, index = ToyDataset((BLOCKS[-1].stop,), modality="table"), torch.zeros(8, dtype=torch.long)
    rows, known = CTGAN(**TOY).drawn(data, index, torch.Generator().manual_seed(0))
    assert known is not None
    there = ~known.isnan()
    assert there.sum(1).tolist() == [3] * 8
    assert torch.equal(data.batch(rows)[there], known[there])
    assert len(known[there].view(8, 3).unique(dim=0)) > 1
    assert index.sum() == 0


def two_columns() -> tuple[DataSpec, torch.Tensor]:
    """A table of two columns of categories and a number between them, and the categories of its rows."""
    kinds = (("a", "onehot", 3), ("b", "scalar", 1), ("c", "onehot", 2))
    starts = (0, 3, 4)
    blocks = tuple(
        Block(column=name, kind=kind, role="category" if kind == "onehot" else "value", start=start, stop=start + size)
        for (name, kind, size), start in zip(kinds, starts, strict=True)
    )
    return DataSpec(modality="table", shape=(6,), blocks=blocks), torch.tensor([[0, 1], [2, 0], [1, 1], [0, 0]])


def test_of_several_columns_one_category_is_said_and_rows_have_it() -> None:
    spec, codes = two_columns()
    data: Any = SimpleNamespace(spec=spec, strata=Strata([spec.blocks[0], spec.blocks[2]], codes.int()))
    rows, known = CTGAN(**TOY).drawn(data, torch.zeros(200, dtype=torch.long), torch.Generator().manual_seed(0))
    assert known is not None
    first = ~known[:, 0].isnan()
    assert 60 < first.sum() < 140
    assert known[first, 3:].isnan().all()
    assert known[~first, :4].isnan().all()
    assert torch.equal(known[first, :3].argmax(1), codes[rows[first], 0])
    assert torch.equal(known[~first, 4:].argmax(1), codes[rows[~first], 1])
    assert (known.nan_to_num(0.0).sum(1) == 1).all()


def test_the_condition_is_held_to_the_logits_of_its_own_column() -> None:
    torch.manual_seed(0)
    spec, _ = two_columns()
    g = CTGANGenerator(4, spec.blocks, frequencies(spec), width=8, depth=1, temperature=0.2)
    z, place = normal(6, 4, 0), torch.tensor([0, 1, 2, 3, 4, 3])
    raw, missed = g._raw(z, place), g.learned(z, place)[1]
    own = [F.cross_entropy(raw[:3, :3], place[:3]), F.cross_entropy(raw[3:, 4:], place[3:] - 3)]
    assert torch.allclose(missed, (own[0] + own[1]) / 2, atol=1e-5)


def test_losses_by_hand() -> None:
    torch.manual_seed(0)
    recipe, data = CTGAN(**TOY, dropout=0.0), ToyDataset((BLOCKS[-1].stop,), modality="table")
    nets, z = recipe.networks(data.spec), normal(8, 4, 2)
    index, known = recipe.drawn(data, torch.arange(8), torch.Generator().manual_seed(0))
    batch = Batch(data.batch(index), z, known, 0)
    terms = recipe.g_terms(nets, batch, Knobs())
    g = nets["G"]
    assert known is not None
    raw = g._raw(z, known[:, :3].argmax(1))  # type: ignore[operator]
    wanted = F.cross_entropy(raw[:, :3], known[:, :3].argmax(1))
    assert torch.allclose(terms["condition"], wanted, atol=1e-5)
    squares = sum(float(p.detach().square().sum()) for p in g.parameters())
    assert abs(float(terms["decay"].detach()) - 5e-7 * squares) < 1e-9
    d_terms = recipe.d_terms(nets, batch, Knobs())
    for parameter in nets["D"].parameters():
        parameter.detach().zero_()
    assert d_terms["penalty"] > 0
    assert torch.allclose(recipe.d_terms(nets, batch, Knobs())["penalty"], torch.tensor(10.0))  # a flat critic: lambda


def test_the_critic_is_told_the_condition_and_judges_packs() -> None:
    torch.manual_seed(0)
    d = CTGANCritic(BLOCKS, width=8, depth=2, pack=2, dropout=0.0)
    rows, known = normal(4, BLOCKS[-1].stop, 0), torch.full((4, BLOCKS[-1].stop), NOTHING)
    known[:, :3] = torch.tensor([0.0, 1.0, 0.0])
    other = known.clone()
    other[3, :3] = torch.tensor([1.0, 0.0, 0.0])
    assert d(rows, known).shape == (2,)
    assert d(rows, known)[0] == d(rows, other)[0]
    assert d(rows, known)[1] != d(rows, other)[1]
