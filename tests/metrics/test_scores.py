"""The Inception Score against its closed ends, and the numbers torch-fidelity 0.4.0 gave."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tightrope.core.errors import InputError
from tightrope.metrics.scores import inception_score

LOGITS = torch.from_numpy(np.random.RandomState(3).randn(203, 11) * 3)


def test_torch_fidelity_s_numbers() -> None:
    assert inception_score(LOGITS) == pytest.approx((3.64749988481966, 0.2912766740804135), rel=1e-9)
    assert inception_score(LOGITS, splits=4, seed=7) == pytest.approx((4.011118958153885, 0.20665063598230698), rel=1e-9)


def test_its_ends() -> None:
    sure = 1e4 * torch.eye(5).repeat(20, 1)  # the other classes' probabilities are exactly 0
    assert inception_score(sure, splits=1).value == pytest.approx(5)
    assert inception_score(sure[:1].repeat(30, 1)) == pytest.approx((1, 0))
    assert inception_score(torch.zeros(30, 5)) == pytest.approx((1, 0))


def test_bad_logits_are_refused() -> None:
    for bad in (LOGITS[:9], LOGITS[:0], LOGITS[0], LOGITS / 0):
        with pytest.raises(InputError):
            inception_score(bad)
    with pytest.raises(InputError, match="splits"):
        inception_score(LOGITS, splits=0)
