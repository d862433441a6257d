"""What `tightrope.describe` finds out, against counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tightrope import recipes
from tightrope.core.spec import DataSpec
from tightrope.describe import describe
from tightrope.describe.arithmetic import Flops, Kept
from tightrope.describe.layers import Passing, layers_of
from tightrope.report.described import Description
from toys import SHAPES, ToyDataset

GREY = DataSpec(modality="images", shape=(1, 32, 32), classes=("a", "b", "c"))

PLANE = DataSpec(modality="points", shape=(2,))


def toy(name: str, **fields: object) -> Description:
    header = recipes.header(name)
    modality = header.modalities[0]
    return describe(name, ToyDataset(SHAPES[modality], modality=modality).spec, "toy", fields)


def test_flops_of_dcgan_by_hand() -> None:
    """Radford's networks at 32 px, width 16, grey: every convolution is 2 * places * inputs * outputs * 16."""
    g = [2 * 100 * 64 * 16, 2 * 16 * 64 * 32 * 16, 2 * 64 * 32 * 16 * 16, 2 * 256 * 16 * 1 * 16]
    d = [2 * 256 * 1 * 16 * 16, 2 * 64 * 16 * 32 * 16, 2 * 16 * 32 * 64 * 16, 2 * 64 * 16]
    found = describe("dcgan", GREY, fields={"width": 16})
    assert found.costs.sample == sum(g)
    assert {network.player: network.flops for network in found.networks} == {"G": sum(g), "D": sum(d)}
    forward_d, back_d = sum(g) + 2 * sum(d), 2 * (sum(d) + sum(d) - d[0])  # D's own images need no gradient
    forward_g, back_g = sum(d), sum(d) + sum(g) + sum(g) - g[0]  # G's pass is D's
    assert [move.flops / 64 for move in found.moves] == pytest.approx([forward_d + back_d, forward_g + back_g])
    assert found.costs.seen == pytest.approx(forward_d + back_d + forward_g + back_g)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_flops_of_convolutions_and_their_gradients(kind: type, groups: int) -> None:
    layer, x = kind(8, 4, 4, stride=2, padding=1, groups=groups), torch.randn(3, 8, 6, 6, requires_grad=True)
    places = 6 * 6 if kind is nn.ConvTranspose2d else 3 * 3
    with Flops() as flops:
        y = layer(x)
        assert flops.total == 3 * places * 2 * 8 * 4 * 16 // groups
        y.sum().backward()
    assert flops.total == 3 * (3 * places * 2 * 8 * 4 * 16 // groups)


def test_a_lazy_penalty_is_averaged_over_its_rounds() -> None:
    one, two, four = (toy("swift", r1_every=every) for every in (1, 2, 4))
    assert [term.every for term in four.moves[0].terms] == [1, 4]
    assert one.costs.seen - two.costs.seen == pytest.approx(2 * (two.costs.seen - four.costs.seen))
    assert one.costs.seen > two.costs.seen


def test_kept_counts_storages_once_and_sees_them_go() -> None:
    weight, x = torch.randn(5, 5, requires_grad=True), torch.randn(7, 5)
    kept = Kept()
    kept.begin([weight])
    with kept:
        y = (x @ weight).exp()
        z = y * y  # y is kept by both
    assert kept.now == 4 * (7 * 5 + 7 * 5)
    z.sum().backward()
    assert kept.now == 0
    assert kept.peak == 4 * 2 * 7 * 5


def test_memory_of_the_parts() -> None:
    found = describe("dcgan", GREY, fields={"width": 16})
    parameters = sum(network.parameters for network in found.networks)
    buffers = sum(network.buffers for network in found.networks)
    assert found.costs.weights == 4 * (parameters + buffers)
    assert found.costs.gradients == 4 * parameters
    assert found.costs.states == pytest.approx(8 * parameters, rel=1e-3)  # Adam's two moments


def test_what_terms_are_computed_on() -> None:
    terms = {(m.name, t.name): t.inputs for name in ("r3gan", "infogan") for m in toy(name).moves for t in m.terms}
    assert terms["D", "r1"] == ("real",)
    assert terms["D", "r2"] == ("fake",)
    assert terms["G", "categorical"] == ("fake", "latent")
    joined = {term.name: term.inputs for term in describe("swift", PLANE).moves[0].terms}  # one pass over reals and fakes
    assert joined == {"adversarial": ("real", "fake"), "r1": ("real",), "r2": ("fake",)}
    (paired,) = [t.inputs for m in toy("r3gan").moves if m.name == "G" for t in m.terms]
    assert paired == ("real", "fake")


def test_who_learns_and_who_only_lets_gradients_through() -> None:
    first, second = toy("dcgan").moves
    assert [(c.player, c.role, c.kept, c.since) for c in first.calls] == [
        ("G", "frozen", True, None),
        ("D", "learns", False, None),
    ]
    assert [(c.player, c.role, c.kept, c.since) for c in second.calls] == [
        ("G", "learns", False, "D"),
        ("D", "passes", False, None),
    ]
    assert first.calls[1].inputs == ("real", 0)


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_described(name: str) -> None:
    found, built = toy(name), recipes.find(name)(**recipes.header(name).resolve("toy", {}))
    assert [move.name for move in found.moves] == [phase.name for phase in built.phases()]
    for move in found.moves:
        assert {call.player for call in move.calls if call.role == "learns"} == set(move.moves)
        assert move.terms
        assert all(term.inputs and term.calls for term in move.terms)
    assert found.costs.sample > 0
    assert found.costs.seen > found.costs.sample
    assert found.costs.total > found.costs.activations > 0
    for network in found.networks:
        assert not network.parameters or sum(layer.parameters for layer in network.layers) == network.parameters


def test_equal_neighbours_are_folded() -> None:
    block = [nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()) for _ in range(3)]
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), *block)
    seen = {path: Passing((4, 8, 8), 1.0 if isinstance(m, nn.Conv2d) else 0.0) for path, m in net.named_modules()}
    rows = layers_of(net, seen)
    assert [(row.path, row.kind, row.times) for row in rows] == [("0", "Conv2d 3x3", 1), ("{1-3}.0", "Conv2d 3x3, ReLU", 3)]
    assert rows[1].parameters == 3 * (4 * 4 * 9 + 4)
    assert rows[1].flops == 3
