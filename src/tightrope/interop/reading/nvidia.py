"""Pickles of whole modules: NVIDIA's StyleGAN2-ADA and StyleGAN3 (persistent classes), R3GAN (plain ones).

Karras et al. 2020, "Training generative adversarial networks with limited data"; Karras et al. 2021, "Alias-free generative
adversarial networks"; Huang et al. 2024, "The GAN is dead; long live the GAN!". The first two note the constructor's arguments;
of the third shapes tell them.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from tightrope.interop.reading import kinds
from tightrope.interop.reading.arrays import Tensor
from tightrope.interop.reading.errors import DamagedFile
from tightrope.interop.reading.modules import PERSISTENT, Walk, attributes, is_module, meta
from tightrope.interop.reading.networks import Contents, Net, counted
from tightrope.interop.reading.records import Made, Name, Value, is_made
from tightrope.interop.reading.settings import Plain, fields
from tightrope.interop.reading.torchfile import Tensors

POSITIONS = {  # the published constructors' arguments in order
    "generator": ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"),
    "discriminator": ("c_dim", "img_resolution", "img_channels"),
}
LICENCES = {
    "stylegan": "NVIDIA's published StyleGAN networks are under NVIDIA's source code licences, for non-commercial use; networks "
    "of others are under theirs: check where you got this file.",
    "r3gan": "R3GAN's project states no licence for its networks, and its code carries NVIDIA's notices; networks of others are "
    "under theirs: check where you got this file.",
}


def is_pickled_modules(root: Value) -> bool:
    """Whether a pickle's value is a dictionary with modules in it."""
    return type(root) is dict and any(is_module(value) for value in root.values())


def read(root: dict, tensors: Tensors) -> Contents | None:
    """The networks of a pickle; None where none of its modules is of a known kind. What else it holds is left out."""
    walk, plain, nets, sources = Walk(tensors), Plain(), [], set()
    for name, value in root.items():
        if type(name) is str and is_module(value):
            state = walk.state(value)
            system = kinds.system(state)
            if system:
                nets.append(Net(name, system, state, hints(value, system, state, plain)))
                sources |= {_source(value)} if is_made(value, PERSISTENT) else set()
                counted(nets)
    if not nets:
        return None
    return Contents(_container(nets, sources), licence(nets), nets)


def hints(value: Made, system: str, state: dict[str, Tensor], plain: Plain) -> dict[str, Any]:
    """The constructor's arguments, as far as the file says them."""
    if not is_made(value, PERSISTENT):
        return r3gan(state) | _bf16_stages(value) if system.startswith("r3gan") else {}
    held = meta(value)["state"]
    given, named = held.get("_init_args", ()), held.get("_init_kwargs", {})
    names = POSITIONS[system.rpartition("-")[2]]
    if type(given) is not tuple or len(given) > len(names):
        raise DamagedFile("a network's arguments are no arguments.")
    return plain.dictionary(dict(zip(names, given, strict=False)) | fields(named))


def r3gan(state: dict[str, Tensor]) -> dict[str, Any]:
    """R3GAN's arguments, as shapes tell them: a residual block expands, convolves in groups, and reduces."""
    widths: dict[int, int] = {}
    groups: dict[int, int] = {}
    blocks: dict[int, int] = {}
    expansion = 2
    for name, tensor in state.items():
        found = re.fullmatch(r"Model\.MainLayers\.(\d{1,3})\.Layers\.\d+\.LinearLayer([123])\.Layer\.weight", name)
        if not found or len(tensor.shape) != 4 or not all(tensor.shape):
            continue
        stage, outputs, inputs = int(found[1]), *tensor.shape[:2]
        if found[2] == "1":
            widths[stage], expansion = inputs, outputs // inputs
        elif found[2] == "2":
            groups[stage], blocks[stage] = outputs // inputs, blocks.get(stage, 0) + 1
    if not widths or widths.keys() != groups.keys():
        return {}
    found_hints: dict[str, Any] = {
        "WidthPerStage": [widths[i] for i in sorted(widths)],
        "CardinalityPerStage": [groups[i] for i in sorted(groups)],
        "BlocksPerStage": [blocks[i] for i in sorted(blocks)],
        "ExpansionFactor": expansion,
    }
    return found_hints | _conditions(state)


def _conditions(state: dict[str, Tensor]) -> dict[str, Any]:
    embedding, first = state.get("Model.EmbeddingLayer.weight"), state.get("Model.MainLayers.0.Layers.0.LinearLayer.weight")
    found: dict[str, Any] = {}
    if embedding and len(embedding.shape) == 2:
        found = {"ConditionDimension": embedding.shape[1], "ConditionEmbeddingDimension": embedding.shape[0]}
    if first and len(first.shape) == 2:  # of a generator: it takes noise and embedded condition together
        found["NoiseDimension"] = first.shape[1] - found.get("ConditionEmbeddingDimension", 0)
    return found


def _bf16_stages(module: Value) -> dict[str, Any]:
    """R3GAN's stages that compute in bf16: each notes its type."""
    for name in ("Model", "MainLayers"):
        module = _parts(module).get(name)
    found = [int(name) for name, stage in _parts(module).items() if _type(stage) == "torch.bfloat16" and str(name).isdecimal()]
    return {"FP16Stages": found}


def _parts(module: Value) -> dict:
    """Modules of a module by name."""
    held = attributes(module).get("_modules") if is_module(module) else None
    return held.entries if isinstance(held, Made) else held if type(held) is dict else {}


def _type(stage: Value) -> str:
    found = attributes(stage).get("DataType") if is_module(stage) else None
    return str(found) if isinstance(found, Name) else ""


def licence(nets: list[Net]) -> str | None:
    """What is known of published networks of this kind."""
    return next((words for start, words in LICENCES.items() if nets[0].system.startswith(start)), None)


def _source(value: Made) -> str:
    return hashlib.sha256(meta(value)["module_src"].encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _container(nets: list[Net], sources: set[str]) -> str:
    systems = {net.system for net in nets}
    if not sources:
        return "R3GAN pickle" if any(system.startswith("r3gan") for system in systems) else "pickle of whole modules"
    kind = "NVIDIA StyleGAN3 pickle" if "stylegan3-generator" in systems else "NVIDIA StyleGAN2-ADA pickle"
    return f"{kind} (the program text in it was not run; its sha256 begins {', '.join(sorted(sources))})"
