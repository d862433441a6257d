"""PSNR and SSIM against scikit-image 0.26.0."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.paired import psnr, ssim
from toys import numbers


def pictures() -> tuple[Tensor, Tensor]:
    images = (numbers(2, 3 * 24 * 31, 5) * 256).to(torch.uint8).view(2, 3, 24, 31)
    images[:, :, :, 10:] //= 4
    noise = (numbers(2, 3 * 24 * 31, 6) * 40).int().view(2, 3, 24, 31) - 20
    return images, (images.int() + noise).clamp(0, 255).to(torch.uint8)


# structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False), peak_signal_noise_ratio, rgb2ycbcr
GOLDEN = {
    (False, 0): ([27.1524670378388, 27.308404684507757], [0.9017150208611607, 0.903255877989814]),
    (True, 4): ([31.762777056655725, 32.45106341848307], [0.9074801954236721, 0.9100206227228091]),
}


@pytest.mark.parametrize(("luma", "border"), GOLDEN)
def test_equal_to_scikit_image(luma: bool, border: int) -> None:
    images, targets = pictures()
    for function, expected in zip((psnr, ssim), GOLDEN[luma, border], strict=True):
        assert function(images, targets, luma=luma, border=border).tolist() == pytest.approx(expected, rel=1e-9)
        floats = function(images.double() / 255, targets.double() / 255, data_range=1, luma=luma, border=border)
        assert floats.tolist() == pytest.approx(expected, rel=1e-9)


def test_by_hand() -> None:
    black = torch.zeros(3, 1, 16, 16)
    grey = torch.tensor([0.0, 0.1, 1.0]).view(3, 1, 1, 1).expand_as(black)
    assert psnr(black, grey, data_range=1).tolist() == pytest.approx([math.inf, 20, 0])
    # Of flat images only the first factor is left: (2 a b + c1) / (a^2 + b^2 + c1).
    assert ssim(black, grey, data_range=1).tolist() == pytest.approx([1, 1e-4 / (0.01 + 1e-4), 1e-4 / (1 + 1e-4)], rel=1e-6)


def test_each_image_alone_and_symmetric() -> None:
    images, targets = pictures()
    many, others = images.repeat(10, 1, 1, 1), targets.repeat(10, 1, 1, 1)
    for function in (psnr, ssim):
        torch.testing.assert_close(function(many, others), function(images, targets).repeat(10), rtol=1e-12, atol=0)
        torch.testing.assert_close(function(targets, images), function(images, targets), rtol=1e-12, atol=0)
    assert ssim(images, images).tolist() == pytest.approx([1, 1]) and psnr(images, images).isinf().all()


@pytest.mark.parametrize("function", [psnr, ssim])
def test_bad_input(function: object) -> None:
    assert callable(function)
    images, targets = pictures()
    for a, b, arguments, sentence in (
        (images, targets[:1], {}, "one shape"),
        (images[:0], targets[:0], {}, "one shape"),
        (images[0], targets[0], {}, "one shape"),
        (images, targets.float(), {}, "one kind"),
        (images.float(), targets.float(), {}, "data_range"),
        (images / 127.5 - 1, targets / 127.5 - 1, {"data_range": 2}, "rescale"),
        (images * torch.nan, targets * torch.nan, {"data_range": 1}, "NaN"),
        (images[:, :1], targets[:, :1], {"luma": True}, "3 .red"),
        (images, targets, {"border": -1}, "border"),
        (images, targets, {"border": 12}, "border"),
    ):
        with pytest.raises(InputError, match=sentence):
            function(a, b, **arguments)
    with pytest.raises(InputError, match="11 x 11"):
        ssim(images, targets, border=7)
