"""Losses of critics that know classes or codes. Axis: N batch, K classes, C codes.

Odena et al. 2017 (AC-GAN); Salimans et al. 2016, section 5 (K + 1 classes); Chen et al. 2016 (InfoGAN).
None has an ideal value: each depends on how well classes or codes can be read off the data at all.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.objectives.adversarial import bce_d, non_saturating_g

Scalar = Float[Tensor, ""]
Classes = Int64[Tensor, " n"] | Float[Tensor, "n k"]  # whole numbers, or shares of classes


def auxiliary(logits: Float[Tensor, "n k"], labels: Classes) -> Scalar:
    """-E log P(C = c | x), Odena et al. 2017, equation 3 of one kind of samples: both players minimise it."""
    return F.cross_entropy(logits, labels)


def real_logit(logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    """The logit of "real" of a classifier with K + 1 classes whose logit of "generated" is fixed at 0: log sum exp.

    Salimans et al. 2016, section 5: D(x) = Z / (Z + 1) with Z = sum_k exp(l_k).
    """
    return logits.logsumexp(1)


def semi_supervised_d(on_real: Float[Tensor, "n k"], on_fake: Float[Tensor, "m k"]) -> Scalar:
    """D's loss on data without labels: half the usual loss of `real_logit`, whose ideal is log 2.

    1/2 (E softplus(-l(x)) + E softplus(l(G(z)))), as in the authors' code. Labelled data add `auxiliary`.
    """
    return bce_d(real_logit(on_real), real_logit(on_fake)) / 2


def semi_supervised_g(on_fake: Float[Tensor, "n k"]) -> Scalar:
    """-E log D(G(z)). The authors train G by `matching.feature_matching` instead, which classifies better."""
    return non_saturating_g(real_logit(on_fake))


def log_categorical(logits: Float[Tensor, "n k"], codes: Classes) -> Float[Tensor, " n"]:
    """log Q(c | x) of one categorical code: whole numbers, or one-hot rows."""
    return -F.cross_entropy(logits, codes, reduction="none")


def log_gaussian(mean: Float[Tensor, "n c"], log_sd: Float[Tensor, "n c"], codes: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    """log Q(c | x) of continuous codes under a factored Gaussian, Chen et al. 2016, section 6."""
    squares = ((codes - mean) * (-log_sd).exp()).square()
    return -(squares / 2 + log_sd + math.log(2 * math.pi) / 2).sum(1)


def mutual_information(log_likelihood: Float[Tensor, " n"], entropy: float) -> Scalar:
    """The lower bound E log Q(c | G(z, c)) + H(c) of I(c; G(z, c)) in nats, Chen et al. 2016, equation 4. To be maximised.

    `entropy` is the prior's: log K of K equally likely classes, log 2 of a uniform code on [-1, 1].
    """
    return log_likelihood.mean() + entropy
