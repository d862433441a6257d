"""Rows made and judged: what is known stays, categories are whole, closed scalars are 0, penalties are autograd's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tightrope import recipes
from tightrope.core.blocks import Block
from tightrope.core.spec import DataSpec
from tightrope.networks.rows import Gates, Heads, Judge, RowCritic, RowGenerator, split
from tightrope.penalties import with_gradient
from tightrope.recipes.tabular import Tabular, by_sampling, revealed
from toys import BLOCKS, ToyDataset, encoded

WIDTH = BLOCKS[-1].stop


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def partly(rows: Tensor) -> Tensor:
    """Of every other row the columns kind and age are known."""
    known = torch.full_like(rows, float("nan"))
    known[::2, :3], known[::2, 4:] = rows[::2, :3], rows[::2, 4:]
    return known


@pytest.fixture
def generator() -> RowGenerator:
    torch.manual_seed(0)
    return RowGenerator(5, BLOCKS, width=32, depth=1, hard=True, drawn=False)


def test_shares_of_heads_are_those_of_each_softmax() -> None:
    raw = torch.randn(6, WIDTH, generator=chance())
    rows = Heads(BLOCKS, temperature=0.7, drawn=False)(raw, raw)
    for block in BLOCKS:
        own = raw[:, block.slice]
        assert torch.allclose(rows[:, block.slice], (own / 0.7).softmax(1) if block.kind == "onehot" else own.tanh())


def test_hard_heads_make_whole_categories_and_pass_the_gradients_of_soft_ones() -> None:
    raw, gradients = torch.randn(6, WIDTH, generator=chance()), []
    weights = torch.randn(WIDTH, generator=chance(1))
    for hard in (False, True):
        x = raw.clone().requires_grad_()
        rows = Heads(BLOCKS, temperature=0.7, drawn=False, hard=hard)(x, raw)
        gradients.append(torch.autograd.grad((rows * weights).sum(), x)[0])
    assert torch.allclose(rows[:, :3].sort(1).values, torch.tensor([0.0, 0.0, 1.0]).expand(6, 3), atol=1e-6)
    assert torch.equal(rows[:, :3].argmax(1), raw[:, :3].argmax(1))
    assert torch.allclose(*gradients)
    assert gradients[0].abs().sum() > 0


def test_closed_scalars_are_0_and_open_ones_untouched() -> None:
    rows = encoded(50, chance())
    rows[:, 7] = 0.5
    gated = Gates(BLOCKS)(rows)
    assert torch.equal(gated[:, 7] == 0, rows[:, 4] == 1)
    assert torch.equal(gated[:, :7], rows[:, :7])
    assert torch.equal(gated[rows[:, 4] == 0], rows[rows[:, 4] == 0])


def test_what_is_known_stays_to_the_bit_and_the_rest_heeds_it(generator: RowGenerator) -> None:
    z, rows = torch.randn(20, 5, generator=chance()), encoded(20, chance(1))
    known = partly(rows)
    made, alone = generator(z, known), generator(z)
    there = ~known.isnan()
    assert torch.equal(made[there], rows[there])
    assert torch.equal(generator(z, torch.full_like(rows, float("nan"))), alone)
    assert not torch.equal(made[::2, 3], alone[::2, 3])


def test_a_known_mode_closes_the_scalar_that_is_not_known(generator: RowGenerator) -> None:
    known = torch.full((4, WIDTH), float("nan"))
    known[:, 4:7] = torch.tensor([1.0, 0.0, 0.0])
    assert torch.equal(generator(torch.randn(4, 5, generator=chance()), known)[:, 7], torch.zeros(4))


def test_a_table_of_scalars_alone_is_made_and_judged() -> None:
    blocks = [Block(column=name, kind="scalar", role="value", start=i, stop=i + 1) for i, name in enumerate("ab")]
    rows = RowGenerator(3, blocks, width=8, depth=1, hard=True)(torch.randn(4, 3))
    assert rows.shape == (4, 2)
    assert RowCritic(blocks, width=8, depth=1)(rows).shape == (4,)


def test_the_gradient_of_a_critic_is_that_of_autograd_in_what_it_sees() -> None:
    torch.manual_seed(0)
    critic, rows = RowCritic(BLOCKS, width=16, depth=2).double(), encoded(6, chance()).double()
    known = partly(rows)
    logits, gradient = with_gradient(Judge(critic, known), rows)
    seen = critic.shown(rows, known).requires_grad_()
    (expected,) = torch.autograd.grad(critic.layers(seen).sum(), seen)
    assert torch.allclose(logits, critic(rows, known))
    assert torch.allclose(gradient, expected[:, : -len(BLOCKS)])


def test_a_critic_is_told_what_was_known() -> None:
    torch.manual_seed(0)
    critic, rows = RowCritic(BLOCKS, width=16, depth=2), encoded(6, chance())
    told, untold = critic(rows, partly(rows)), critic(rows)
    assert torch.equal(told[1::2], untold[1::2])
    assert (told[::2] != untold[::2]).all()


def test_columns_are_shown_whole_none_some_and_all_of_them() -> None:
    shown = revealed(BLOCKS, 2000, chance())
    assert torch.equal(shown[:, 2], shown[:, 3])  # both of the column age
    counts = torch.bincount(shown[:, :3].sum(1), minlength=4)
    assert torch.allclose(counts / 2000, torch.full((4,), 0.25), atol=0.04)  # a uniform share of three columns: all as often


def test_rare_values_are_drawn_by_the_logarithm_of_their_frequency() -> None:
    data = ToyDataset((WIDTH,), count=1000, modality="table")
    data.samples[:, :3] = torch.eye(3)[(torch.arange(1000) >= 990).long()]
    found = [by_sampling(data, 500, chance(seed)) for seed in range(40)]
    rows = torch.cat([index for index, block in (pair for pair in found if pair) if block.column == "kind"])
    share = (rows >= 990).double().mean().item()
    assert share == pytest.approx(2.398 / (2.398 + 6.899), abs=0.02)  # ln 11 and ln 991


def test_a_batch_of_the_recipe_says_what_is_known_of_its_last_rows() -> None:
    recipe = recipes.find("tabular")(batch=40, known=0.25)
    data = ToyDataset((WIDTH,), modality="table")
    index, known = recipe.drawn(data, torch.arange(40) % 37, chance())
    assert known is not None
    values, there = split(known)
    assert not there[:30].any()
    assert there[35:].any(1).all()  # sampled by a value, which is shown
    assert torch.equal(values[there], data.batch(index)[there])
    assert recipes.find("tabular")(batch=40, known=0.0).drawn(data, index, chance())[1] is None


def test_tabular_draws_rows_from_latents_that_are_spread_wider() -> None:
    torch.manual_seed(0)
    recipe = Tabular(width=16, d_width=16, z=4, batch=8, spread=1.5)
    nets, z = recipe.networks(DataSpec(modality="table", shape=(WIDTH,), blocks=BLOCKS)), torch.randn(6, 4, generator=chance())
    assert torch.equal(recipe.sample(nets, z), nets["G"](1.5 * z))
    assert not torch.equal(recipe.sample(nets, z), nets["G"](z))
