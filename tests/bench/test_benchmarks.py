"""What each benchmark counts: digits, modes, thresholds, architectures; and tiny runs of the games."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from tightrope import recipes
from tightrope.bench import architectures, digits, dirac, points, ring8, settings, stacked_mnist
from tightrope.bench.playing import fashion, trained
from tightrope.bench.protocol import Ask, Case, Result
from tightrope.bench.runner import folder_of
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.metrics.classifier import Classifier
from tightrope.networks.variants import ACTIVATIONS, DEPTHS, Side, VariantCritic, VariantGenerator, draw, shifted_softplus

SPEC = DataSpec(modality="images", shape=(3, 32, 32), count=100)


class Brightness(nn.Module):
    """Reads a digit from the brightness of an image: 0 is black, 9 is white."""

    def forward(self, images):
        level = ((images.mean((1, 2, 3)) + 1) * 4.5).round()
        return -(level[:, None] - torch.arange(10.0)).square()


def stacks(codes: torch.Tensor, size: int = 32) -> torch.Tensor:
    return (codes.float() / 4.5 - 1)[:, :, None, None].expand(-1, -1, size, size)


def reader() -> Classifier:
    return Classifier(Brightness(), {}, "")


@pytest.mark.parametrize("size", [32, 28])
def test_digits_are_read_channel_by_channel(size):
    codes = torch.randint(0, 10, (40, 3), generator=torch.Generator().manual_seed(0))
    if size == 28:
        codes[:] = 0  # the margin of 2 pixels is black
    assert torch.equal(digits.read(stacks(codes, size), reader()), codes)


def test_modes_are_counted_with_both_divergences():
    every = torch.cartesian_prod(*[torch.arange(10)] * 3)
    uneven = torch.tensor([0.19, *[0.09] * 9])
    full = digits.modes_of([stacks(every[:500]), stacks(every[500:])], reader(), uneven)
    assert full.modes == 1000 and full.samples == 1000 and full.reverse_kl == pytest.approx(0.0, abs=1e-6)
    expected = -3 * (torch.log(10 * uneven.double()).mean()).item()  # KL(u || p), three independent channels
    assert full.kl_from_data == pytest.approx(expected, abs=1e-6)
    one = digits.modes_of([stacks(every[:1].expand(50, 3))], reader(), torch.full((10,), 0.1))
    assert (
        one.modes == 1 and one.reverse_kl == pytest.approx(math.log(1000)) and one.kl_from_data == pytest.approx(math.log(1000))
    )


def test_stacked_cases_are_as_published():
    ask = Ask(methods=tuple(stacked_mnist.METHODS), seeds=1, scale=1.0, data="mnist")
    cases = {case.method: case.settings for case in stacked_mnist.cases(ask)}
    assert cases["dcgan"]["seen"] == 6_400_000 and cases["pacdcgan2"]["seen"] == 12_800_000
    assert cases["pacdcgan3/quarter"]["fields"] == {
        "pack": 3, "z": 256, "latent": "normal", "lr_g": 1e-4, "lr_d": 2e-4, "beta2": 0.99, "g_steps": 1,
        "d_share": 0.25, "batch": 384,
    }  # fmt: skip
    for method in cases:
        name, fields = stacked_mnist._game(method)
        recipes.header(name).resolve(None, fields)


@pytest.mark.parametrize("fields", [{"width": 4}, {"d_share": 0.25, "g_steps": 1}])
def test_packed_games_have_one_logit_a_pack(fields):
    game = recipes.find(stacked_mnist.GAME)(pack=2, batch=8, z=5, **fields)
    nets = game.networks(SPEC)
    fake = nets["G"](torch.randn(8, 5))
    assert fake.shape == (8, 3, 32, 32)
    assert nets["D"](fake.reshape(4, 6, 32, 32)).shape == (4,)


def test_the_small_critic_has_the_published_widths():
    critic = recipes.find(stacked_mnist.GAME)(d_share=0.5).networks(SPEC)["D"]
    assert [m.out_channels for m in critic.modules() if isinstance(m, nn.Conv2d)] == [4, 8, 16]


def test_points_are_played_by_recipes_that_exist():
    for played in points.PLAYED.values():
        recipes.header(played.recipe).resolve(played.preset, played.fields)
    assert set(ring8.METHODS) <= set(points.PLAYED)


def test_a_case_of_points_is_counted(tmp_path):
    (case,) = ring8.cases(Ask(methods=("relativistic",), seeds=1, scale=2_000 / points.POINTS))
    figures = points.run(case, tmp_path)
    assert set(figures) == {"modes", "high quality", "reverse KL"} and 0 <= figures["modes"] <= 8
    (table,) = ring8.tables([Result(case=case, figures=figures, cpu_seconds=1.0, versions={})])
    assert table.rows[0][0] == "relativistic" and any(row[0] == "ALI" for row in table.rows)


def judged(method: str, seed: int, values: dict, **given) -> Result:
    case = Case(benchmark="x", method=method, seed=seed, settings={"scale": 1.0, **given})
    return Result(case=case, figures=values, cpu_seconds=1.0, versions={})


def test_settings_count_usable_runs():
    results = [judged("spectral", seed, {"frechet": 2.0 + seed}, setting="A") for seed in range(3)]
    results += [judged("none", seed, {"frechet": None if seed else 27.0}, setting="A") for seed in range(3)]
    usable, medians = settings.tables(results)
    assert usable.rows == [("spectral", "3 of 3", "3/3", *["0/0"] * 5), ("none", "0 of 3", "0/3", *["0/0"] * 5)]
    assert medians.rows[1][1] == "broke"
    assert settings.picture(results, None).shape[2] == 3


def test_architectures_are_counted_as_in_the_paper():
    scores = {0: (4.0, 1.5), 1: (1.2, 4.0), 2: (4.5, 4.5), 3: (1.0, 1.0)}
    results = [
        judged(method, n, {"class score": value, "real score": 5.0, "architecture": architectures._architecture(n)})
        for n, pair in scores.items()
        for method, value in zip(("gan", "wgan_gp"), pair, strict=True)
    ]
    first, parts, published = architectures.tables(results)
    assert [row[1:] for row in first.rows][2] == ("1", "1", "1", "1")  # at half of the way, above 3
    assert sum(int(row[1]) for row in parts.rows if row[0].startswith("G depth")) == 4
    assert published.rows[2] == ("5", "0", "147", "42", "11")


def test_drawn_architectures_do_not_change():
    assert draw(7) == draw(7) and len({draw(n) for n in range(200)}) > 190
    sides = [side for n in range(200) for side in draw(n)]
    for key, count in (("activation", 4), ("depth", 4), ("norm", 2), ("filters", 3)):
        found = Counter(getattr(side, key) for side in sides)
        assert len(found) == count and min(found.values()) > 400 / count * 0.7


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_variants_have_their_depth_and_sizes(depth, activation):
    side = Side(activation, depth, norm=depth != 8, filters=2)
    g, d = VariantGenerator(side, 3, 1, 16), VariantCritic(side, 1, 16, per_sample=True)
    for net in (g, d):
        layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))]
        assert len(layers) == depth
    x = g(torch.randn(4, 3))
    assert x.shape == (4, 1, 16, 16) and x.abs().max() <= 1
    logits = d(x)
    assert logits.shape == (4,) and torch.isfinite(logits).all()
    assert torch.allclose(d(x[:1]), logits[:1], atol=1e-5), "layer normalisation mixes no samples"


def test_shifted_softplus():
    x = torch.tensor([-50.0, -1.0, 50.0], dtype=torch.float64)
    expected = torch.tensor([-1.0, math.log(2) / 2 - 1, 50.0], dtype=torch.float64)
    assert torch.allclose(shifted_softplus(x), expected, atol=1e-12)


def test_short_games_are_the_same_for_the_same_seed():
    game = recipes.find(architectures.GAME)(architecture=3, shrink=16, batch=4, z=4, penalty=True)
    one, two = (trained(game, fashion(16), seen=80, seed=5) for _ in range(2))
    for a, b in zip(one["G"].parameters(), two["G"].parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_stacked_case_trains_counts_and_draws(tmp_path, monkeypatch):
    """With ten grey squares for digits, a reader of brightness, and a hundred samples."""
    mnist = tmp_path / "mnist"
    mnist.mkdir()
    labels = np.arange(60) % 10
    images = np.repeat((labels * 28)[:, None], 784, 1).reshape(60, 28, 28)
    for split in ("train", "t10k"):
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
            (mnist / f"{split}-{kind}-ubyte").write_bytes(head + values.astype(np.uint8).tobytes())
    known = Classifier(Brightness(), {"accuracy on the test digits": "1.0"}, "")
    monkeypatch.setattr(digits, "classifier", lambda folder, tell: known)
    monkeypatch.setattr(digits.drawn, "__defaults__", (100,))
    ask = Ask(methods=("pacdcgan2/quarter",), seeds=1, scale=1e-5, data=mnist)
    (case,) = stacked_mnist.cases(ask)
    folder = folder_of(case, tmp_path / "out")
    folder.mkdir(parents=True)
    figures = stacked_mnist.run(case, folder)
    assert figures["samples"] == 100 and 1 <= figures["modes"] <= 100 and figures["classifier"] == 1.0
    assert figures == stacked_mnist.evaluate(folder / "run", ask), "the same run, the same figures"
    result = Result(case=case, figures=figures, cpu_seconds=1.0, versions={})
    table = stacked_mnist.tables([result])[0]
    assert table.rows[0][0] == "pacdcgan2/quarter" and table.rows[0][5] == "484.5"
    assert stacked_mnist.picture([result], tmp_path / "out").shape[2] == 3


def test_a_benchmark_that_is_not_scaled_says_so():
    with pytest.raises(InputError, match="leave out --scale"):
        dirac.cases(Ask(methods=("minimax",), seeds=1, scale=0.5))
