"""Which published network a state dict is of: told by the names of its tensors, and their shapes where names do not differ."""

from __future__ import annotations

from collections.abc import Mapping

from tightrope.interop.reading import pictures
from tightrope.interop.reading.arrays import Tensor

State = Mapping[str, Tensor]
MARKS = (  # all of these names -> the system
    (("synthesis.input.freqs", "mapping.w_avg"), "stylegan3-generator"),
    (("synthesis.b4.const", "mapping.fc0.weight"), "stylegan2-generator"),
    (("b4.out.weight", "b4.fc.weight"), "stylegan2-discriminator"),
    (("Model.AggregationLayer.Layer.weight",), "r3gan-generator"),
    (("Model.ExtractionLayer.Layer.weight",), "r3gan-discriminator"),
    (("layers.0.conv_1.weight", "rgb_converters.0.weight"), "progressive-generator"),
    (("layers.0.conv_1.weight", "from_rgb.0.0.weight"), "progressive-discriminator"),
    (("blocks.0.0.conv1.weight", "linear.weight", "output_layer.0.gain"), "biggan-generator"),
    (("blocks.0.0.conv1.weight", "linear.weight", "output_layer.0.weight"), "biggan-generator"),
    (("blocks.0.0.conv1.weight", "linear.weight"), "biggan-discriminator"),
)
REFUSED = (  # all of these names -> what it is, in words
    (("conv1.conv.weight", "style.1.weight"), "StyleGAN2 in the layout of rosinality's PyTorch version"),
    (("convs.0.conv1.0.weight", "final_linear.0.weight"), "a StyleGAN2 critic in the layout of rosinality's PyTorch version"),
    (("conv_first.weight", "conv_last.weight"), "a super-resolution network (of another kind than ESRGAN)"),
)


def system(state: State) -> str | None:
    """Such as "stylegan2-generator"; None where it is none of those that are read."""
    for names, found in MARKS:
        if all(name in state for name in names):
            return found
    first = next((name for name in state if name.startswith("main.")), None)
    return _plain_stack(state, first) if first else pictures.system(state)


def refused(state: State) -> str | None:
    """What it is, where it is known and not read."""
    return next((words for names, words in REFUSED if all(name in state for name in names)), None) or pictures.refused(state)


def role(found: str) -> str:
    """G or D."""
    return "D" if found.endswith("discriminator") or found in pictures.CRITICS else "G"


def _plain_stack(state: State, first: str) -> str | None:
    """DCGAN's, WGAN's and WGAN's of linear layers: one `main` with layers in a row."""
    if first.startswith("main.initial"):
        return "wgan-generator" if any("convt" in name for name in state) else "wgan-discriminator"
    if "main.0.weight" not in state:
        return None
    axes, last = len(state["main.0.weight"].shape), [name for name in state if name.endswith(".weight")][-1]
    if axes == 2:
        return "wgan-discriminator" if state[last].shape[0] == 1 else "wgan-generator"
    if axes == 4:
        return "dcgan-generator" if "main.1.weight" in state else "dcgan-discriminator"
    return None
