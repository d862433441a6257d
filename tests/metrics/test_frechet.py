"""Frechet distance and its moments against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.frechet import Moments, frechet_distance


def moments_of(features: Tensor, parts: int = 1) -> Moments:
    moments = Moments()
    for part in features.chunk(parts):
        moments.add(part)
    return moments


def exactly(mean: Tensor, covariance: Tensor, n: int = 400) -> Moments:
    """Moments of n samples whose mean and covariance (ddof 1) are the given ones."""
    d = len(mean)
    raw = torch.randn(n, d, generator=torch.Generator().manual_seed(d), dtype=torch.float64)
    raw = torch.linalg.qr(raw - raw.mean(0))[0] * (n - 1) ** 0.5
    values, vectors = torch.linalg.eigh(covariance)
    return moments_of(raw @ (vectors * values.clamp(min=0).sqrt()).T + mean)


def random(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(d: int) -> Tensor:
    return torch.linalg.qr(random(d, d, 5))[0]


def nuclear(x: Tensor, y: Tensor) -> float:
    """The distance by singular values of the centred samples' product: no covariance, no square root of a matrix."""
    a, b = ((z - z.mean(0)) / (len(z) - 1) ** 0.5 for z in (x, y))
    gap = (x.mean(0) - y.mean(0)).square().sum()
    return (gap + a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()).item()


def test_moments_agree_with_numpy_conventions() -> None:
    x = random(101, 7)
    moments = moments_of(x, parts=4)
    assert moments.n == 101 and moments.dimensions == 7
    torch.testing.assert_close(moments.mean, x.mean(0))
    torch.testing.assert_close(moments.covariance(), torch.cov(x.T))
    torch.testing.assert_close(moments.covariance(ddof=0), torch.cov(x.T, correction=0))


def test_diagonal_gaussians() -> None:
    mean_a, mean_b = random(2, 6)
    a, b = torch.arange(1.0, 7, dtype=torch.float64), torch.arange(6.0, 0, -1, dtype=torch.float64) / 3
    expected = ((mean_a - mean_b) ** 2).sum() + ((a.sqrt() - b.sqrt()) ** 2).sum()
    found = frechet_distance(exactly(mean_a, a.diag()), exactly(mean_b, b.diag()))
    assert found == pytest.approx(expected.item(), rel=1e-9)


def test_commuting_covariances() -> None:
    q, zero = rotation(8), torch.zeros(8, dtype=torch.float64)
    a, b = torch.linspace(0.1, 4, 8, dtype=torch.float64), torch.linspace(3, 0.2, 8, dtype=torch.float64)
    found = frechet_distance(exactly(zero, q @ a.diag() @ q.T), exactly(zero, q @ b.diag() @ q.T))
    assert found == pytest.approx(((a.sqrt() - b.sqrt()) ** 2).sum().item(), rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(300, 12), (20, 64)], ids=["full rank", "fewer samples than features"])
def test_against_singular_values(n: int, d: int) -> None:
    x, y = random(n, d, 1), random(n, d, 2) @ rotation(d) * 1.5 + 0.3
    a, b = moments_of(x), moments_of(y)
    traces = (a.covariance().trace() + b.covariance().trace()).item()
    assert frechet_distance(a, b) == pytest.approx(nuclear(x, y), abs=1e-6 * traces)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), abs=1e-6 * traces)


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("rank", [1, 3, 32])
def test_identical_is_zero(rank: int, scale: float) -> None:
    x = scale * (random(200, rank, 3) @ random(rank, 32, 4) + 7)
    moments = moments_of(x)
    assert 0 <= frechet_distance(moments, moments_of(x, parts=7)) <= 1e-6 * 2 * moments.covariance().trace().item()


def test_a_collapsed_set_is_finite_and_exact() -> None:
    x, point = random(100, 5), torch.ones(50, 5, dtype=torch.float64)
    a, b = moments_of(x), moments_of(point)
    expected = ((x.mean(0) - 1) ** 2).sum() + torch.cov(x.T).trace()
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected.item(), rel=1e-9)


def test_merge_equals_one_stream_and_leaves_its_operands() -> None:
    x, y = random(60, 5) + 100, random(90, 5, 1) - 100
    a, b = moments_of(x), moments_of(y, parts=3)
    whole, merged = moments_of(torch.cat([x, y])), a.merge(b)
    assert merged.n == 150 and (a.n, b.n) == (60, 90)
    torch.testing.assert_close(merged.mean, whole.mean)
    torch.testing.assert_close(merged.covariance(), whole.covariance())
    merged.add(x)
    torch.testing.assert_close(a.mean, x.mean(0))
    torch.testing.assert_close(Moments().merge(b).covariance(), b.covariance())
    torch.testing.assert_close(b.merge(Moments()).covariance(), b.covariance())


def test_a_common_shift_changes_nothing() -> None:
    x, y = random(100, 6), random(100, 6, 1) * 2
    near, far = (frechet_distance(moments_of(x + by), moments_of(y + by)) for by in (0.0, 1e6))
    assert far == pytest.approx(near, rel=1e-6)


def test_float32_batches_are_summed_in_float64() -> None:
    x = random(10_000, 3).float()
    torch.testing.assert_close(moments_of(x, parts=100).covariance(), torch.cov(x.double().T), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_features_are_refused_whole(bad: float) -> None:
    moments = moments_of(random(10, 2))
    with pytest.raises(InputError, match="NaN or an infinity"):
        moments.add(torch.tensor([[1.0, bad]]))
    assert moments.n == 10


def test_too_few_samples_and_other_widths_are_refused() -> None:
    ten, one = moments_of(random(10, 3)), moments_of(random(1, 3))
    for pair in ((ten, one), (one, ten), (Moments(), ten)):
        with pytest.raises(InputError, match="at least"):
            frechet_distance(*pair)
    with pytest.raises(InputError, match="one extractor"):
        frechet_distance(ten, moments_of(random(10, 4)))
    with pytest.raises(InputError, match="shape"):
        ten.add(random(10, 4))
    with pytest.raises(InputError, match="shape"):
        ten.add(random(10, 3)[0])
