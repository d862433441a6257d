"""StyleGAN3's filters: the reference's non-linearity, Kaiser's promises, and the same in all directions."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest
import torch

from tightrope.networks.layers.filtered import filtered_lrelu, kaiser_beta, low_pass


@pytest.mark.parity
def test_filtered_lrelu(parity: Path) -> None:
    vectors = torch.load(parity / "sg3_primitives.pt", weights_only=True)
    given = vectors["inputs"]
    for key, expected in vectors["outputs"].items():
        up, down, padding, flip, kind = (
            ast.literal_eval(word) if word not in ("sep", "full") else word for word in key.split("|")
        )
        filters = (None, None) if up == down == 1 else (given["fu"], given["fd" if kind == "sep" else "fd2"])
        found = filtered_lrelu(
            given["x"], *filters, given["b"], up=up, down=down, padding=padding, flip_filter=flip, clamp=0.9
        )  # fmt: skip
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-4), key  # these filters' sums are of the order of 100


def test_the_window_is_kaiser_s() -> None:
    """His formulas between 21 and 50 decibels, above and below; and a filter that does what he promised."""
    for decibels, beta in ((10, 0.0), (30, 0.5842 * 9**0.4 + 0.07886 * 9), (60, 0.1102 * 51.3)):
        assert kaiser_beta(41, (decibels - 7.95) / (2.285 * 40 * math.pi)) == pytest.approx(beta)
    taps = low_pass(60, 4.0, 2.0, 32.0)
    assert taps is not None
    frequencies = torch.tensor([0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0])
    waves = torch.cos(2 * math.pi * frequencies[:, None] * (torch.arange(60) - 29.5) / 32)
    passed = waves @ taps
    assert torch.allclose(passed[:3], torch.ones(3), atol=0.01)
    assert passed[3] == pytest.approx(0.5, abs=0.01)
    assert (passed[4:].abs() < 0.01).all()


def test_one_dimension_is_firwin() -> None:
    signal = pytest.importorskip("scipy.signal")
    for taps, cutoff, width, rate in ((12, 2.0, 12.0, 32), (24, 5.7, 9.1, 64), (7, 3.0, 2.5, 16)):
        expected = torch.from_numpy(signal.firwin(taps, cutoff, width=width, fs=rate)).float()
        assert torch.allclose(low_pass(taps, cutoff, width, rate), expected, atol=1e-7)


@pytest.mark.parametrize("taps", [24, 25])
def test_radial_filters_pass_the_same_in_all_directions(taps: int) -> None:
    found = low_pass(taps, 5.0, 5.0, 32.0, radial=True)
    assert found is not None and found.shape == (taps, taps)
    assert found.sum() == pytest.approx(1)
    assert torch.allclose(found, found.t(), atol=1e-8) and torch.allclose(found, found.flip(0), atol=1e-8)
    place = (torch.arange(taps) - (taps - 1) / 2) / 32
    for frequency, expected in ((2.0, 1.0), (5.0, 0.5), (9.0, 0.0)):
        for angle in (0.0, 0.4, math.pi / 4):
            across, along = (2 * math.pi * frequency * f(angle) * place for f in (math.cos, math.sin))
            passed = (found * torch.cos(across[:, None] + along[None])).sum().item()
            assert passed == pytest.approx(expected, abs=0.05), (frequency, angle)
