"""Bins and how differently two sets fill them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.bins import assign, bin_counts, bin_proportions, compare_bins, kmeans
from toys import normal


def clusters(n: int, seed: int) -> Tensor:
    """Four round clouds, of which the last is the smallest."""
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    return centres[torch.arange(n) * 10 // n // 3] + normal(n, 2, seed)


def test_kmeans_finds_clouds_and_repeats_itself() -> None:
    x = clusters(400, 1) + 1_000
    centres = kmeans(x, 4)
    assert torch.equal(centres, kmeans(x, 4)) and not torch.equal(centres, kmeans(x, 4, seed=1))
    found = sorted(tuple(round(v / 5) * 5 for v in row) for row in (centres - 1_000).tolist())
    assert found == [(0, 0), (0, 10), (10, 0), (10, 10)]
    assert sorted(bin_counts(x, centres).tolist()) == [40, 120, 120, 120]
    torch.testing.assert_close(bin_proportions(x, centres).sum(), torch.tensor(1.0, dtype=torch.float64))


def test_assign_takes_the_nearest() -> None:
    centres = torch.tensor([[0.0], [10.0], [100.0]])
    assert assign(torch.tensor([[-5.0], [4.9], [5.1], [54.0], [56.0]]), centres).tolist() == [0, 0, 1, 1, 2]


def test_divergence_against_scipy_1_17_1() -> None:
    report = compare_bins(torch.tensor([5, 3, 0, 2, 10]), torch.tensor([1, 4, 2, 2, 11]))
    assert report.js == pytest.approx(0.0734325563146888, rel=1e-12)
    apart = compare_bins(torch.tensor([50, 0]), torch.tensor([0, 50]))
    assert apart.js == pytest.approx(math.log(2)) and apart.ndb == 1
    same = compare_bins(torch.tensor([50, 10]), torch.tensor([50, 10]))
    assert same.js == 0 == same.ndb


def test_the_proportions_test_by_hand() -> None:
    # 30 of 100 against 18 of 100: z = 0.12 / sqrt(0.24 * 0.76 * 0.02) = 1.987; against 19 of 100: 1.808.
    assert compare_bins(torch.tensor([30, 70]), torch.tensor([18, 82])).ndb == 1
    assert compare_bins(torch.tensor([30, 70]), torch.tensor([19, 81])).ndb == 0


def test_one_distribution_stays_at_the_null() -> None:
    centres = kmeans(normal(2_000, 6, 0), 20)
    counts = [bin_counts(normal(1_000, 6, seed), centres) for seed in range(1, 31)]
    reports = [compare_bins(a, b) for a, b in zip(counts[::2], counts[1::2], strict=True)]
    js = torch.tensor([report.js for report in reports])
    ndb = torch.tensor([report.ndb for report in reports])
    assert reports[0].js_null == pytest.approx(19 / 8 * (2 / 1_000), rel=0.1)  # (K - 1) / 8 (1 / n + 1 / m)
    assert js.mean() == pytest.approx(reports[0].js_null, abs=4 * js.std().item() / 15**0.5)
    assert ndb.mean() == pytest.approx(reports[0].ndb_null, abs=0.05)
    assert compare_bins(counts[0], counts[1]) == compare_bins(counts[0], counts[1])


def test_a_missing_cloud_is_seen() -> None:
    centres = kmeans(clusters(1_000, 1), 10)
    fake = clusters(1_000, 2)[:900]
    report = compare_bins(bin_counts(clusters(1_000, 3), centres), bin_counts(fake, centres))
    assert report.js > report.js_limit > report.js_null and report.ndb >= 0.1


def test_bad_input() -> None:
    x = normal(10, 2, 0)
    for count in (0, 11):
        with pytest.raises(InputError, match="ask for 1"):
            kmeans(x, count)
    with pytest.raises(InputError, match="3 different samples"):
        kmeans(x[:3].repeat(4, 1), 4)
    with pytest.raises(InputError, match="NaN"):
        kmeans(x * torch.nan, 2)
    with pytest.raises(InputError, match="one extractor"):
        bin_counts(x, torch.zeros(3, 4))
    for a, b in (([1, 2], [1, 2, 3]), ([0, 0], [1, 2]), ([3, -1], [1, 2])):
        with pytest.raises(InputError, match="compare_bins"):
            compare_bins(torch.tensor(a), torch.tensor(b))
