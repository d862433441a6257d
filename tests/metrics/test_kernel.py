"""Kernel distances against sums written out, and the numbers torch-fidelity 0.4.0 gave."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics import kernel
from tightrope.metrics.kernel import cmmd, kernel_distance, standardiser, unbiased_kernel_distance


def features(n: int, d: int, seed: int) -> Tensor:
    mixing = np.random.RandomState(9).randn(d, d) / d**0.5
    return torch.from_numpy(np.maximum(np.random.RandomState(seed).randn(n, d) @ mixing + 0.1 * seed, 0))


REAL, FAKE = features(300, 24, 1), features(260, 24, 2)


def test_torch_fidelity_s_numbers() -> None:
    found = kernel_distance(REAL, FAKE, subsets=7, size=100)
    assert found.value == pytest.approx(0.028687275300105317, rel=1e-9)
    assert found.std == pytest.approx(0.024027985067413278, rel=1e-9)
    in_float32 = kernel_distance(REAL.float(), FAKE.float(), subsets=7, size=100)
    assert in_float32.value == pytest.approx(0.028687340872628347, rel=5e-5)


def test_the_unbiased_sum_written_out() -> None:
    x, y = REAL[:5], FAKE[:4]
    k = lambda a, b: (a @ b / 24 + 1) ** 3  # noqa: E731
    xx = sum(k(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / 20
    yy = sum(k(y[i], y[j]) for i in range(4) for j in range(4) if i != j) / 12
    xy = sum(k(a, b) for a in x for b in y) / 20
    assert unbiased_kernel_distance(x, y) == pytest.approx((xx + yy - 2 * xy).item(), rel=1e-9)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = unbiased_kernel_distance(REAL, FAKE), cmmd(REAL, FAKE)
    monkeypatch.setattr(kernel, "ROWS", 7)
    assert (unbiased_kernel_distance(REAL, FAKE), cmmd(REAL, FAKE)) == pytest.approx(whole, rel=1e-9)


def test_equal_distributions_are_at_zero_on_average() -> None:
    pool = features(4_000, 8, 1)
    values = [unbiased_kernel_distance(part[:100], part[100:]) for part in pool.split(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / len(values) ** 0.5
    assert min(values) < 0 < max(values)


def test_cmmd_written_out() -> None:
    x, y = (z / z.norm(dim=1, keepdim=True) for z in (REAL[:6], FAKE[:5]))
    k = lambda a, b: torch.exp(-torch.cdist(a, b).square() / 200).mean()  # noqa: E731
    assert cmmd(REAL[:6] * 7, FAKE[:5]) == pytest.approx(1_000 * (k(x, x) + k(y, y) - 2 * k(x, y)).item(), rel=1e-6)
    assert cmmd(REAL, REAL) == pytest.approx(0, abs=1e-9)


def test_standardised_features_have_no_scale_left() -> None:
    near, far = (
        kernel_distance(*(standardiser(REAL * by + off)(z * by + off) for z in (REAL, FAKE)), subsets=3, size=100)
        for by, off in ((1.0, 0.0), (50.0, 300.0))
    )
    assert far == pytest.approx(near, rel=1e-4)
    standard = standardiser(REAL)(REAL).double()
    assert standard.mean(0).abs().max() < 1e-6 and standard.var(0).mean() == pytest.approx(1, rel=1e-6)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="size between 2"):
        kernel_distance(REAL, FAKE)
    with pytest.raises(InputError, match="at least one subset"):
        kernel_distance(REAL, FAKE, size=10, subsets=0)
    for distance in (unbiased_kernel_distance, cmmd):
        for bad in (FAKE[:0], FAKE[:, :3], FAKE * torch.nan):
            with pytest.raises(InputError):
                distance(REAL, bad)
    with pytest.raises(InputError, match="n >= 2"):
        unbiased_kernel_distance(REAL, FAKE[:1])
    with pytest.raises(InputError, match="no direction"):
        cmmd(REAL, FAKE * 0)
    with pytest.raises(InputError, match="equal"):
        standardiser(torch.ones(5, 3))
