"""Scores of a classifier's logits: the Inception Score (Salimans et al. 2016), and its like for any classifier.

    IS = exp( mean_i KL(p(y | x_i) || p(y)) )

It is between 1 and K: high when each sample is clearly of one class and the classes are evenly many. It never looks at
the real data, and copies of one clear image a class score best. The name Inception Score belongs to the 1,008 logits of
the TensorFlow network; with another classifier the extractor's id goes into the name.

Axes: N samples, K classes.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.intervals import Estimate
from tightrope.metrics.neighbours import feature_sets


def inception_score(logits: Float[Tensor, "N K"], splits: int = 10, seed: int = 2020) -> Estimate:
    """Mean and standard deviation (ddof 0) of the score over `splits` parts of the shuffled samples, each in [1, K].

    Shuffle and parts are torch-fidelity's at the same seed. Fewer samples a part give a lower score.

    Raises:
        InputError: logits are no finite matrix, or fewer samples than splits.
    """
    (logits,) = feature_sets("inception_score", logits=logits)
    if not 1 <= splits <= len(logits):
        raise InputError(f"inception_score: {len(logits)} samples do not make {splits} splits; give more samples.")
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(logits)))
    edges = [i * len(logits) // splits for i in range(splits + 1)]
    scores = [_score(logits[order[start:end]]) for start, end in zip(edges, edges[1:], strict=False)]
    return Estimate(float(np.mean(scores)), float(np.std(scores)))


def _score(logits: Float[Tensor, "n K"]) -> float:
    """exp of the entropy of the mean less the mean of the entropies: the same, and finite where a class is never likely."""
    log_p = logits.double().log_softmax(1)
    p = log_p.exp()
    q = p.mean(0)
    return ((p * log_p).sum(1).mean() - torch.special.xlogy(q, q).sum()).exp().item()
