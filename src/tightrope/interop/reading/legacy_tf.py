"""Pickles of the TensorFlow versions: a triple (G, D, Gs) of `Network` objects, each with its arguments and named arrays.

Progressive GAN's arrays stay under their names ("8x8/Conv0_up/weight"); StyleGAN2's are brought to the PyTorch version's names
and layouts: TensorFlow has kernels as (height, width, in, out), matrices as (in, out), the styles' biases without their 1, and
the kernels of its upscaling and skipping layers turned by half a turn.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np

from tightrope.interop.reading.arrays import Tensor
from tightrope.interop.reading.errors import DamagedFile, HostileFile, UnknownFile, shown
from tightrope.interop.reading.limits import DEPTH, NAME
from tightrope.interop.reading.networks import Contents, Net
from tightrope.interop.reading.nvidia import LICENCES
from tightrope.interop.reading.records import Made, Value, is_made, kind
from tightrope.interop.reading.settings import Plain, fields
from tightrope.interop.reading.torchfile import Tensors

NETWORKS = ("dnnlib.tflib.network.Network", "tfutil.Network")
PROGRESSIVE_LICENCE = (
    "The authors' published progressive GAN networks are under Creative Commons BY-NC 4.0 (networks of others, under theirs): "
    "check where you got this file."
)
TAPS = np.array([1, 3, 3, 1], np.float32)
FILTER = Tensor("F32", np.outer(TAPS, TAPS) / 64)
SYNTHESIS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb", "Skip": "skip"}
CRITIC = {"FromRGB": "fromrgb", "Conv0": "conv0", "Conv1_down": "conv1", "Skip": "skip"}
LAST = {"Conv": "conv", "Dense0": "fc", "Output": "out"}  # of the critic's at 4x4
Arrays = dict[str, Tensor]


def is_triple(root: Value) -> bool:
    """Whether a pickle's value is such a triple."""
    return type(root) is tuple and len(root) == 3 and all(is_made(net, *NETWORKS) for net in root)


def read(root: tuple, tensors: Tensors) -> Contents:
    """Its networks: G, D, and G with averaged weights.

    Raises:
        UnknownFile: of StyleGAN1, or conditional in the way of the TensorFlow version.
    """
    nets, old = [], is_made(root[0], "tfutil.Network")
    for name, record in zip(("G", "D", "G_ema"), root, strict=True):
        arrays, settings = _variables(record, tensors, "", 0), _arguments(record)
        role = "discriminator" if name == "D" else "generator"
        if old:
            nets.append(Net(name, f"progressive-{role}", arrays, {"layout": "tensorflow"}))
        else:
            nets.append(critic(name, arrays, settings) if name == "D" else generator(name, arrays, settings))
    if old:
        return Contents("TensorFlow pickle of progressive GAN", PROGRESSIVE_LICENCE, nets)
    return Contents("TensorFlow pickle of StyleGAN2", LICENCES["stylegan"], nets)


def _variables(record: Made, tensors: Tensors, prefix: str, depth: int) -> Arrays:
    """All arrays of a network and of the networks that it is made of, by name."""
    held = record.attributes()
    pairs = held.get("variables")
    if type(pairs) is not list or depth > DEPTH:
        raise DamagedFile("a network of it has no list of variables.")
    tensors.budget.run(len(pairs))
    found: Arrays = {}
    for pair in pairs:
        if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not str or len(pair[0]) > NAME:
            raise DamagedFile("a variable of it has no name.")
        found[prefix + pair[0]] = tensors.of(pair[1], pair[0])
    parts = held.get("components")
    for name, part in (fields(parts) if parts else {}).items():
        if type(name) is not str or not is_made(part, *NETWORKS) or depth:
            raise HostileFile(f"a part of a network of it is {shown(kind(part))}.")
        found |= _variables(part, tensors, f"{prefix}{name}/", depth + 1)
    return found


def _arguments(record: Made) -> dict[str, Any]:
    """What the network was built with; names of functions among it are texts."""
    given = fields(record.attributes().get("static_kwargs") or {})
    wanted = {name: given[name] for name in WANTED if name in given}
    return Plain().dictionary(wanted)


WANTED = (
    "latent_size", "label_size", "dlatent_size", "resolution", "num_channels", "fmap_base", "fmap_max", "mapping_layers",
    "mapping_lrmul", "mapping_fmaps", "architecture", "conv_clamp", "num_fp16_res", "mbstd_group_size", "mbstd_num_features",
    "use_noise", "resample_kernel",
)  # fmt: skip


def generator(name: str, arrays: Arrays, settings: dict[str, Any]) -> Net:
    """StyleGAN2's G."""
    _require_plain(settings)
    state = _Layers(arrays)
    if "synthesis/4x4/Const/const" not in arrays:
        raise UnknownFile("it is a TensorFlow pickle, and not of StyleGAN2 (StyleGAN1 and its kin are not read).")
    sides = state.sides("synthesis/")
    for side in sides:
        block = f"synthesis.b{side}"
        if side == 4:
            state.put(f"{block}.const", arrays["synthesis/4x4/Const/const"], lambda a: a[0])
        state.out[f"{block}.resample_filter"] = FILTER
        for layer, ours in SYNTHESIS.items():
            state.layer(f"synthesis/{side}x{side}/{layer}", f"{block}.{ours}", turned=layer in ("Conv0_up", "Skip"))
            noise = 2 * int(math.log2(side)) - (5 if ours == "conv0" else 4)
            if f"{block}.{ours}.weight" in state.out and ours.startswith("conv"):
                state.out[f"{block}.{ours}.resample_filter"] = FILTER
                state.put(f"{block}.{ours}.noise_const", arrays.get(f"synthesis/noise{noise}"), lambda a: a[0, 0])
    state.put("mapping.w_avg", arrays.get("dlatent_avg"), lambda a: a)
    depth = sum(bool(re.fullmatch(r"mapping/Dense\d{1,3}/weight", key)) for key in arrays)
    for i in range(depth):
        state.layer(f"mapping/Dense{i}", f"mapping.fc{i}")
    widths = {f"{kind}_dim": settings.get(given, 512) for kind, given in (("z", "latent_size"), ("w", "dlatent_size"))}
    mapping = {"num_layers": depth, "lr_multiplier": settings.get("mapping_lrmul", 0.01)}
    rest = {"mapping_kwargs": mapping, "synthesis_kwargs": _channels(settings, "skip")}
    return Net(name, "stylegan2-generator", state.out, widths | _pixels(settings, sides) | rest)


def critic(name: str, arrays: Arrays, settings: dict[str, Any]) -> Net:
    """StyleGAN2's D."""
    _require_plain(settings)
    state = _Layers(arrays)
    sides = state.sides("")[::-1]
    for side in sides:
        block = f"b{side}"
        if side > 4:
            state.out[f"{block}.resample_filter"] = FILTER
        for layer, ours in ((LAST | {"FromRGB": "fromrgb"}) if side == 4 else CRITIC).items():
            state.layer(f"{side}x{side}/{layer}", f"{block}.{ours}")
            if f"{block}.{ours}.weight" in state.out and layer not in ("Dense0", "Output"):
                state.out[f"{block}.{ours}.resample_filter"] = FILTER
    state.layer("Output", "b4.out")
    tail = {
        "mbstd_group_size": settings.get("mbstd_group_size"),
        "mbstd_num_channels": settings.get("mbstd_num_features", 1),
    }
    rest = {"epilogue_kwargs": tail, "mapping_kwargs": {"num_layers": settings.get("mapping_layers", 0)}}
    return Net(name, "stylegan2-discriminator", state.out, _pixels(settings, sides) | _channels(settings, "resnet") | rest)


def _require_plain(settings: dict[str, Any]) -> None:
    if settings.get("label_size", 0):
        raise UnknownFile("it is a conditional StyleGAN2 of the TensorFlow version, which is not read; unconditional ones are.")
    if settings.get("resample_kernel", [1, 3, 3, 1]) not in ([1, 3, 3, 1], None):
        raise UnknownFile("it is a StyleGAN2 with resampling filters of its own in a TensorFlow pickle, which is not read.")


def _pixels(settings: dict[str, Any], sides: list[int]) -> dict[str, Any]:
    return {"c_dim": 0, "img_resolution": max(sides), "img_channels": settings.get("num_channels", 3)}


def _channels(settings: dict[str, Any], architecture: str) -> dict[str, Any]:
    """Arguments that G's synthesis and D share. `fmap_base` counts from another resolution: half of `channel_base`."""
    return {
        "channel_base": int(settings.get("fmap_base", 16384)) * 2,
        "channel_max": settings.get("fmap_max", 512),
        "num_fp16_res": settings.get("num_fp16_res", 0),
        "conv_clamp": settings.get("conv_clamp"),
        "architecture": settings.get("architecture", architecture),
    }


@dataclasses.dataclass
class _Layers:
    """Arrays of the file, and what was made of them under the PyTorch version's names."""

    arrays: Arrays
    out: Arrays = dataclasses.field(default_factory=dict)

    def sides(self, prefix: str) -> list[int]:
        """Resolutions, from 4 on."""
        found = {int(m[1]) for name in self.arrays if (m := re.match(rf"{prefix}(\d{{1,5}})x\1/", name))}
        if not found or sorted(found) != [4 << i for i in range(len(found))]:
            raise DamagedFile(f"its resolutions are {sorted(found)}.")
        return sorted(found)

    def put(self, ours: str, tensor: Tensor | None, change: Any) -> None:
        """One array, brought into shape."""
        if tensor is None:
            return
        try:
            self.out[ours] = Tensor(tensor.form, change(tensor.array))
        except (IndexError, ValueError):
            raise DamagedFile(f"its {ours} has the shape {tensor.shape}.") from None

    def layer(self, theirs: str, ours: str, *, turned: bool = False) -> None:
        """A layer's weight, bias, noise and styles, those that it has."""

        def kernel(a: np.ndarray) -> np.ndarray:
            return a.T if a.ndim == 2 else (a[::-1, ::-1] if turned else a).transpose(3, 2, 0, 1)

        def part(name: str) -> Tensor | None:
            return self.arrays.get(f"{theirs}/{name}")

        self.put(f"{ours}.weight", part("weight"), kernel)
        self.put(f"{ours}.noise_strength", part("noise_strength"), lambda a: a.reshape(()))
        self.put(f"{ours}.bias", part("bias"), lambda a: a)
        self.put(f"{ours}.affine.weight", part("mod_weight"), lambda a: a.T)
        self.put(f"{ours}.affine.bias", part("mod_bias"), lambda a: a + a.dtype.type(1))
