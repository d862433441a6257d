"""StyleGAN's mapping network: latents and classes to styles. Axis: N batch, Z latent, K classes, L layers, W style.

Karras, Laine & Aila 2019, "A style-based generator architecture for generative adversarial networks", sections 2 and B
(truncation); as in StyleGAN2-ADA and StyleGAN3, whose parameter names it has. A projection critic maps its classes by it too.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.networks.layers.activated import activated, gain_of, known
from tightrope.networks.layers.equalised import EqualisedLinear

Styles = Float[Tensor, "n l w"] | Float[Tensor, "n w"]


def normalised(x: Float[Tensor, "n f"], eps: float = 1e-8) -> Float[Tensor, "n f"]:
    """Of mean square 1 a sample."""
    return x * (x.square().mean(1, keepdim=True) + eps).rsqrt()


class MappingNetwork(nn.Module):
    """Normalised z and embedded c side by side, through connected layers `fc0`, `fc1` ..., copied to every layer of a synthesis.

    Args:
        z_dim: Z; 0 for a network of classes alone.
        c_dim: K, the width of a one-hot class; 0 without classes.
        w_dim: W.
        num_ws: L, the copies; None gives (N, W).
        num_layers: fully connected layers.
        embed_features: width of the embedded class, W unless given.
        layer_features: width between the layers, W unless given.
        activation: behind each layer.
        lr_multiplier: factor of the layers' learning rate.
        w_avg_beta: decay of the running mean of w, .995 in StyleGAN2-ADA and .998 in StyleGAN3; None keeps none.
        always_averages: every forward pass in training mode moves that mean, as in StyleGAN2-ADA; else only those that say so
            (`update_emas=True`), as in StyleGAN3.
    """

    w_avg: Tensor
    fc0: EqualisedLinear

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.995,
        always_averages: bool = True,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws, self.num_layers = z_dim, c_dim, w_dim, num_ws, num_layers
        self.activation, self.w_avg_beta, self.always_averages = known(activation), w_avg_beta, always_averages
        embedded = (w_dim if embed_features is None else embed_features) if c_dim else 0
        if c_dim:
            self.embed = EqualisedLinear(c_dim, embedded, gain=1.0)
        between = w_dim if layer_features is None else layer_features
        widths = [z_dim + embedded, *[between] * (num_layers - 1), w_dim]
        for index, (inputs, outputs) in enumerate(zip(widths, widths[1:], strict=False)):
            self.add_module(f"fc{index}", EqualisedLinear(inputs, outputs, gain=1.0, rate=lr_multiplier))
        if self._averages:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Float[Tensor, "n z"] | None,
        c: Float[Tensor, "n k"] | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        update_emas: bool | None = None,
    ) -> Styles:
        """Styles, brought towards their mean.

        Args:
            z: latents; None where Z is 0.
            c: one-hot classes; None, or of width 0, where there are none.
            truncation_psi: what is left of the distance to the mean.
            truncation_cutoff: layers before this one are truncated; all of them unless given.
            update_emas: move the running mean, or do not; what `always_averages` says unless given.
        """
        with torch.autocast(self.fc0.weight.device.type, enabled=False):
            w = self._mapped(z, c)
            if self.training and self.always_averages if update_emas is None else update_emas:
                self._average(w)
            styles = w if self.num_ws is None else w[:, None].repeat(1, self.num_ws, 1)
            return styles if truncation_psi == 1 else self._truncated(styles, truncation_psi, truncation_cutoff)

    @property
    def _averages(self) -> bool:
        return self.num_ws is not None and self.w_avg_beta is not None

    def _mapped(self, z: Tensor | None, c: Tensor | None) -> Float[Tensor, "n w"]:
        dtype = self.fc0.weight.dtype
        given = []
        if self.z_dim:
            given.append(normalised(_of_width(z, self.z_dim, "latents z").to(dtype)))
        if self.c_dim:
            given.append(normalised(self.embed(_of_width(c, self.c_dim, "one-hot classes c").to(dtype))))
        w = torch.cat(given, 1)
        for index in range(self.num_layers):
            # the gain behind the activation, as published: the last bit of w turns the sign of pixels that are all but 0
            w = activated(self.get_submodule(f"fc{index}")(w), None, self.activation, gain=1) * gain_of(self.activation)
        return w

    @torch.no_grad()
    def _average(self, w: Float[Tensor, "n w"]) -> None:
        if self.w_avg_beta is not None and self._averages:
            self.w_avg.copy_(w.mean(0).lerp(self.w_avg, self.w_avg_beta))

    def _truncated(self, styles: Styles, psi: float, cutoff: int | None) -> Styles:
        if not self._averages:
            raise InputError("this mapping keeps no mean of its styles; call it with truncation_psi=1")
        if self.num_ws is None or cutoff is None:
            return self.w_avg.lerp(styles, psi)
        return torch.cat([self.w_avg.lerp(styles[:, :cutoff], psi), styles[:, cutoff:]], 1)


def _of_width(x: Tensor | None, width: int, what: str) -> Tensor:
    found = "nothing" if x is None else f"shape {tuple(x.shape)}"
    if x is None or x.dim() != 2 or x.shape[1] != width:
        raise InputError(f"{what}: {found} was given; this network takes (batch, {width})")
    return x
