"""pix2pix's parts: its losses by hand, critics at several sizes, the ways in which its G is used; and that it learns."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.game import Batch, Knobs
from tightrope.core.spec import DataSpec
from tightrope.networks.as_trained import AsTrained, as_trained
from tightrope.networks.patch import PatchCritic
from tightrope.networks.scales import PatchCritics
from tightrope.objectives.reconstruction import l1, matched
from tightrope.recipes.pix2pix import Pix2Pix

TOY: dict[str, Any] = {"width": 4, "critic_width": 4, "layers": 1, "batch": 2}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def spec(size: int = 16, given: tuple[int, int, int] | None = None) -> DataSpec:
    return DataSpec(modality="pairs", shape=(3, size, size), given=given or (3, size, size), count=8)


def pictures(n: int = 2, size: int = 16) -> Tensor:
    return torch.rand(n, 3, size, size) * 2 - 1


# ---------------------------------------------------------------- losses
def test_losses_by_hand() -> None:
    made, wanted = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 5.0]])
    assert l1(made.view(1, 2, 1, 1), wanted.view(1, 2, 1, 1)).item() == 2
    near, far = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    assert matched([[near, near]], [[far, 3 * far]]).item() == 4  # over layers the sum
    assert matched([[near], [near]], [[far], [3 * far]]).item() == 2  # over critics the mean


def test_no_gradient_reaches_the_features_of_reals() -> None:
    real, fake = (torch.rand(1, 2, 3, 3, requires_grad=True) for _ in range(2))
    matched([[real]], [[fake]]).backward()
    assert real.grad is None
    assert fake.grad is not None


def test_terms_are_those_of_the_paper() -> None:
    recipe = Pix2Pix(**TOY, dropout=False, adversarial=1.0)
    nets, batch = recipe.networks(spec()), Batch(pictures(), pictures(), None, 0)
    d = recipe.d_terms(nets, batch, Knobs())
    fake = batch.made["fake"]
    critic = nets["D"].critics[0]  # type: ignore[index]
    on_real, on_fake = (critic(torch.cat([batch.given, x], 1)).sigmoid() for x in (batch.real, fake))
    torch.testing.assert_close(d["adversarial"], -(on_real.log().mean() + (1 - on_fake).log().mean()) / 2)
    g = recipe.g_terms(nets, batch, Knobs())
    torch.testing.assert_close(g["adversarial"], -on_fake.log().mean())
    torch.testing.assert_close(g["l1"], 100 * (fake - batch.real).abs().mean())


# ---------------------------------------------------------------- critics
def test_each_critic_sees_half_of_the_size_of_the_one_before() -> None:
    critics, x = PatchCritics(lambda: PatchCritic(3, width=2, layers=1), 3), pictures(2, 32)
    assert [logits.shape[-1] for logits in critics(x)] == [14, 6, 2]
    features = critics.features(x)
    assert all(torch.equal(of[-1], logits) for of, logits in zip(features, critics(x), strict=True))
    flat = torch.full((1, 3, 32, 32), 0.5)  # means of what is flat are flat up to the border
    shown = [seen for _, seen in critics._shown(flat)]
    assert all(torch.equal(seen, torch.full_like(seen, 0.5)) for seen in shown)


# ---------------------------------------------------------------- use
class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm2d(3), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.norm(x))


def test_as_trained_takes_each_pictures_own_statistics_drops_and_remembers_nothing() -> None:
    net, x = Noisy().eval(), 5 + pictures(2)
    before = copy.deepcopy(net.state_dict())
    made = AsTrained(net)(x)
    kept = made != 0
    assert 0.4 < kept.float().mean() < 0.6
    own = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(made[kept], 2 * own[kept])
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(module.training for module in net.modules())
    with as_trained(net):
        assert net.norm.training
    assert not net.norm.training
    assert net.norm.track_running_stats


@pytest.mark.parametrize(("use", "same"), [("averaged", True), ("as-trained", False)])
def test_used_always_the_same_or_as_published(use: str, same: bool) -> None:
    recipe = Pix2Pix(**TOY, dropout=True, use=use)
    nets = recipe.networks(spec(64))
    (translator,) = recipe.translators(nets).values()
    x = pictures(1, 64)
    with torch.no_grad():
        assert torch.equal(translator.net(x), translator.net(x)) == same
        assert torch.equal(recipe.sample({"G": nets["G"].eval()}, x), recipe.sample(nets, x)) == same
    assert (translator.multiple, translator.whole) == (64, not same)


@pytest.mark.parametrize(
    "fields", [{"generator": "resnet"}, {"norm": "instance"}, {"scales": 2, "matching": 10.0}, {"adversarial": 0.0}]
)
def test_options_make_pictures_of_pictures(fields: dict[str, Any]) -> None:
    recipe = Pix2Pix(**{**TOY, **fields})
    nets, batch = recipe.networks(spec(32)), Batch(pictures(2, 32), pictures(2, 32), None, 0)
    assert ("D" in nets) == (recipe.adversarial > 0) == (len(recipe.phases()) == 2)
    for phase in recipe.phases():
        terms = phase.terms(nets, batch, Knobs())
        assert torch.isfinite(terms.total)
        assert ("matching" in terms) == (phase.name == "G" and "D" in nets)
    (translator,) = recipe.translators(nets).values()
    assert translator.net(pictures(1, 32)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("fields", "of", "says"),
    [
        ({}, spec(16, (3, 8, 8)), "as large as those given; these are 8x8 and 16x16 px"),
        ({}, spec(15), "15 px cannot be"),
        ({"layers": 3}, spec(16), "too many for pictures of 16 px"),
    ],
)
def test_what_does_not_fit_is_told(fields: dict[str, Any], of: DataSpec, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Pix2Pix(**{**TOY, **fields}).networks(of)


def test_views_keep_pairs_aligned() -> None:
    real = pictures(8)
    seen, given = Pix2Pix(**TOY, jitter=0.2).views(real, -real, torch.Generator().manual_seed(0))
    assert torch.equal(seen, -given)
    assert not torch.equal(seen, real)
    assert torch.equal(Pix2Pix(**TOY, jitter=0.0, flip=False).views(real, real, torch.Generator())[0], real)


def test_it_learns_to_invert() -> None:
    recipe = Pix2Pix(**TOY, lr=5e-3)
    nets, given = recipe.networks(spec()), pictures(4)[:, :, :1, :1].expand(4, 3, 16, 16)
    optimizers = {name: torch.optim.Adam(nets[name].parameters(), lr=recipe.lr, betas=(0.5, 0.999)) for name in ("D", "G")}
    errors = []
    for _ in range(25):
        batch = Batch(-given, given, None, 0)
        for phase in recipe.phases():
            optimizers[phase.name].zero_grad()
            terms = phase.terms(nets, batch, Knobs())
            terms.total.backward()
            optimizers[phase.name].step()
        errors.append(terms["l1"].item() / recipe.l1)
    assert errors[-1] < 0.5 * errors[0]
