"""Frechet distance and its moments against closed forms, singular values, and the numbers other tools gave."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.frechet import Moments, Reference, frechet_caveats, frechet_distance, frechet_from_features


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


def peer_features(n: int, d: int, seed: int) -> Tensor:
    mixing = np.random.RandomState(9).randn(d, d) / d**0.5
    return torch.from_numpy(np.maximum(np.random.RandomState(seed).randn(n, d) @ mixing + 0.1 * seed, 0))


@pytest.mark.parametrize("theirs", [0.5004186281206202, 0.5004186281206167], ids=["torch-fidelity 0.4.0", "pytorch-fid 0.3.0"])
def test_other_tools_numbers(theirs: float) -> None:
    real, fake = peer_features(300, 24, 1), peer_features(260, 24, 2)
    assert frechet_distance(moments_of(real), moments_of(fake)) == pytest.approx(theirs, rel=1e-9)
    assert frechet_from_features(real, fake) == pytest.approx(theirs, rel=1e-9)


def falling(n: int, d: int, seed: int) -> Tensor:
    """Features whose variances fall by six orders of magnitude."""
    return random(n, d, seed) * torch.logspace(0, -3, d, dtype=torch.float64) @ torch.linalg.qr(random(d, d, seed + 50))[0]


D = 96
X, Y = falling(3 * D, D, 1), falling(3 * D, D, 2) + 0.1
TURN = rotation(D)
PATHOLOGICAL = {
    "fewer samples than features in both": (X[:40], Y[:30]),
    "few generated samples": (X, Y[:30]),
    "few real samples": (X[:30], Y),
    "duplicates": (X[:20].repeat(9, 1), Y),
    "duplicates in both": (X[:20].repeat(9, 1), Y[:20].repeat(9, 1)),
    "all equal": (X, Y[:1].repeat(200, 1)),
    "all equal and few": (X, Y[:1].repeat(5, 1)),
    "all equal in both": (X[:1].repeat(9, 1), Y[:1].repeat(5, 1)),
    "collapsed to a line": (X, random(200, 1) @ random(1, D, 1)),
    "disjoint supports": (random(200, D // 2) @ TURN[: D // 2], random(200, D // 2, 1) @ TURN[D // 2 :]),
    "dead features": (X * (torch.arange(D) % 3 > 0), Y * (torch.arange(D) % 2 > 0)),
    "tiny": (X * 1e-6, Y[:30] * 1e-6),
    "huge": (X * 1e6, Y[:30] * 1e6),
    "far from zero": (X + 1e6, Y[:30] + 1e6),
    "two samples": (X[:2], Y[:2]),
}


@pytest.mark.parametrize("case", PATHOLOGICAL)
def test_pathological_sets_against_singular_values(case: str) -> None:
    x, y = PATHOLOGICAL[case]
    traces = sum(((z - z.mean(0)).square().sum() / (len(z) - 1)).item() for z in (x, y))
    exact, bar = nuclear(x, y), 1e-6 * traces + 1e-12
    a, b = moments_of(x), moments_of(y)
    for found in (frechet_distance(a, b), frechet_distance(b, a), frechet_from_features(x, y), frechet_from_features(y, x)):
        assert isinstance(found, float) and found >= 0
        assert found == pytest.approx(exact, abs=bar)


def test_batches_and_shards_change_nothing() -> None:
    x, y = X.float(), Y.float()
    whole = frechet_distance(moments_of(x), moments_of(y))
    for size in (1, 7, 64):
        batched = Moments()
        for batch in y.split(size):
            batched.add(batch)
        assert frechet_distance(moments_of(x), batched) == pytest.approx(whole, rel=1e-9)
    shards = [pickle.loads(pickle.dumps(moments_of(part))) for part in y.split([50, 1, 100, len(y) - 151])]
    merged = shards[3].merge(shards[0]).merge(shards[2].merge(shards[1]))
    assert frechet_distance(moments_of(x), merged) == pytest.approx(whole, rel=1e-9)


def test_many_rows_at_once_are_taken_in_blocks() -> None:
    x, y = random(2_500, 5), random(40, 60)
    torch.testing.assert_close(moments_of(x).covariance(), torch.cov(x.T))
    wide = random(1_500, 60, 3)
    assert frechet_from_features(wide, y) == pytest.approx(nuclear(wide, y), rel=1e-9)


def test_ddof() -> None:
    x, y = random(50, 4), random(40, 4, 1) + 0.5
    a, b = (z.T.cov(correction=0) for z in (x, y))
    exactly_0 = frechet_distance(exactly(x.mean(0), a), exactly(y.mean(0), b))
    assert frechet_distance(Reference.of(moments_of(x), ddof=0), moments_of(y)) == pytest.approx(exactly_0, rel=1e-9)
    assert frechet_from_features(x, y, ddof=0) == pytest.approx(exactly_0, rel=1e-9)
    few = random(5, 9), random(7, 9, 1)
    by_moments = frechet_distance(Reference.of(moments_of(few[0]), ddof=0), moments_of(few[1]))
    assert frechet_from_features(*few, ddof=0) == pytest.approx(by_moments, rel=1e-6)


@pytest.mark.parametrize("n", [10, 200])
def test_a_reference_is_kept_and_gives_the_same(n: int, tmp_path: Path) -> None:
    real, fake = moments_of(random(n, 16)), moments_of(random(80, 16, 1))
    reference = Reference.of(real, protocol="resize: none; π")
    reference.save(tmp_path / "stats.npz")
    found = Reference.load(tmp_path / "stats.npz")
    assert (found.n, found.ddof, found.protocol) == (n, 1, "resize: none; π")
    assert frechet_distance(found, fake) == frechet_distance(reference, fake) == frechet_distance(real, fake)


def test_other_tools_statistics_are_read(tmp_path: Path) -> None:
    real, fake = moments_of(random(200, 6)), moments_of(random(80, 6, 1))
    np.savez(tmp_path / "theirs.npz", mu=real.mean.numpy(), sigma=real.covariance().numpy())
    found = Reference.load(tmp_path / "theirs.npz")
    assert found.n == 0 and frechet_distance(found, fake) == frechet_distance(real, fake)


def test_bad_statistics_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "nan.npz", mu=np.full(3, np.nan), sigma=np.eye(3))
    np.savez(tmp_path / "shapes.npz", mu=np.zeros(3), sigma=np.eye(4))
    np.savez(tmp_path / "pickled.npz", mu=np.array([{}], dtype=object), sigma=np.eye(1))
    np.savez(tmp_path / "factor.npz", mu=np.zeros(3), sigma=np.eye(3), factor=2 * np.eye(3))
    (tmp_path / "text.npz").write_text("hello")
    for name in ("nan", "shapes", "pickled", "factor", "text", "missing"):
        with pytest.raises(InputError, match="reference statistics"):
            Reference.load(tmp_path / f"{name}.npz")


def test_bad_features_are_refused() -> None:
    good = random(10, 3)
    for bad, words in (
        (good[:1], "expected"),
        (good[:0], "expected"),
        (good * torch.nan, "NaN"),
        (random(10, 4), "one extractor"),
    ):
        with pytest.raises(InputError, match=words):
            frechet_from_features(good, bad)
    with pytest.raises(InputError, match="one extractor"):
        frechet_distance(Reference.of(moments_of(good)), moments_of(random(10, 4)))


def test_caveats_are_sentences() -> None:
    many, few, same = moments_of(random(100, 9)), moments_of(random(5, 9)), moments_of(random(1, 9).repeat(50, 1))
    assert frechet_caveats(1.0, many, many) == []
    assert ["5 generated samples in 9 dimensions" in text for text in frechet_caveats(1.0, many, few)] == [True]
    assert "read it as 0" in frechet_caveats(0.0, Reference.of(many), many)[0]
    assert "All generated samples have the same features" in frechet_caveats(3.0, many, same)[0]
