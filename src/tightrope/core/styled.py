"""Generators in two halves, as StyleGAN's: what may be asked of one, whoever wrote it.

Karras, Laine & Aila 2019, "A style-based generator architecture for generative adversarial networks", section 2: a mapping
network takes a latent z to a style w, and a synthesis network draws what the styles of its layers say. `explore` steers every
generator that keeps to this; names and calls are those of the published networks. Axis: N batch, L layers, W style.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor


class Mapping(Protocol):
    """z (N, z_dim) and c (N, c_dim) to styles.

    Attributes:
        w_avg: running mean of the styles, (W,).
    """

    w_avg: Tensor

    def __call__(self, z: Tensor, c: Tensor | None, truncation_psi: float = 1, truncation_cutoff: int | None = None) -> Tensor:
        """Styles, (N, L, W): a copy a layer, those before the cutoff brought towards `w_avg` by `truncation_psi`."""
        ...


@runtime_checkable
class Styled(Protocol):
    """A generator of two halves.

    Attributes:
        z_dim, c_dim, w_dim: widths of a latent, of a class's one-hot vector (0: none), of a style.
        num_ws: layers that are given a style of their own.
        mapping: latents to styles.
        synthesis: styles (N, num_ws, w_dim) to images (N, C, H, W); `noise_mode` is "const", "random" or "none" where the
            network adds noise, and does nothing elsewhere.
    """

    z_dim: int
    c_dim: int
    w_dim: int
    num_ws: int
    mapping: Any
    synthesis: Any
