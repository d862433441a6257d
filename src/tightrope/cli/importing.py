"""`tightrope import`: another project's checkpoint as safetensors, one file a network, by `tightrope.interop`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from tightrope.cli.parsing import Parser

FORMAT = "tightrope-network-1"
BAR = 30  # characters
LONG = 100 << 20  # bytes of a file from which on progress is shown


def arguments(parser: Parser) -> None:
    """The command line's."""
    parser.description = (
        "Read another project's checkpoint without running anything in it, and write its networks as safetensors."
    )
    parser.epilog = """read are: .pkl of StyleGAN2-ADA, StyleGAN3, R3GAN, and of TensorFlow StyleGAN2 and progressive GAN;
.pth, .pt, .bin and .safetensors of DCGAN, WGAN, BigGAN, progressive GAN, R3GAN, StyleGAN, CycleGAN, pix2pix, pix2pixHD, ESRGAN
and Real-ESRGAN; .param (with its .bin) of Real-ESRGAN's ncnn networks. Nothing in a file is ever executed.

examples:
  tightrope import ffhq.pkl --out ffhq
  tightrope sample ffhq/G_ema.safetensors --seeds 0-15 --out samples
  tightrope import realesrgan-x4plus.param --out x4plus"""
    parser.add_argument("file", metavar="FILE", help="the checkpoint")
    parser.add_argument("--out", metavar="DIR", required=True, help="where the files go; those of the same names are replaced")


def read(arguments: Namespace) -> None:
    """Read, write, and say what was found and what to do next."""
    from tightrope.core.errors import InputError
    from tightrope.interop import containers

    path, out = Path(arguments.file), Path(arguments.out)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; name a directory.")
    shown = sys.stderr.isatty() and not arguments.json and path.is_file() and path.stat().st_size > LONG
    opened = containers.open(path, _bar if shown else None)
    rows = [_write(out, path, opened, name) for name in opened.nets]
    if arguments.json:
        said = {"container": opened.container, "licence": opened.licence, "source_sha256": opened.sha256, "networks": rows}
        print(json.dumps(said, indent=2))
    else:
        _say(opened, rows)


def _write(out: Path, source: Path, opened: Any, name: str) -> dict[str, Any]:
    """One network's file; what it holds."""
    from safetensors.torch import save_file

    from tightrope.core.files import require_space, write_atomically

    net, path = opened.nets[name], out / f"{name}.safetensors"
    header = {
        "format": FORMAT,
        "name": name,
        "system": net.system,
        "hints": json.dumps(net.hints),
        "container": opened.container,
        "source": source.name,
        "source_sha256": opened.sha256,
        "licence": opened.licence or "unknown: check where you got the source",
    }
    state = {key: value.clone(memory_format=_plain()) for key, value in net.state.items()}  # none may share memory with another
    out.mkdir(parents=True, exist_ok=True)
    require_space(out, sum(value.nbytes for value in state.values()), path.name)
    write_atomically(path, lambda partial: save_file(state, partial, header))
    return {
        "name": name,
        "system": net.system,
        "parameters": sum(value.numel() for value in state.values()),
        "resolution": resolution(net.state, net.hints),
        "translates": _translates(net.system),
        "file": str(path),
    }


def _translates(system: str) -> bool:
    """Whether the network is one that is given pictures and makes others of them."""
    from tightrope.interop import systems

    return system in systems.names() and systems.player(system).translates is not None


def _plain() -> Any:
    import torch

    return torch.contiguous_format


def resolution(state: Any, hints: dict[str, Any]) -> int | None:
    """Side of the images, where settings or names tell it."""
    if isinstance(hints.get("img_resolution"), int):
        return int(hints["img_resolution"])
    levels = [key for key in state if key.endswith(("rgb_converters.0.weight", "from_rgb.0.0.weight"))]
    if levels:
        part = levels[0].split(".")[0]
        return 2 << len({key.split(".")[1] for key in state if key.startswith(f"{part}.")})
    if "WidthPerStage" in hints:
        return 2 << len(hints["WidthPerStage"])
    return None


def _say(opened: Any, rows: list[dict[str, Any]]) -> None:
    print(f"{opened.container}\n")
    width = max(len(row["name"]) for row in rows)
    print(f"{'network':<{max(width, 7)}}  {'system':<26}{'parameters':>13}  size")
    for row in rows:
        size = f"{row['resolution']} px" if row["resolution"] else "-"
        print(f"{row['name']:<{max(width, 7)}}  {row['system']:<26}{row['parameters']:>13,}  {size}")
    print(f"\nlicence  {opened.licence or 'unknown: check where you got this file.'}")
    makers = [row for row in rows if row["system"].endswith("generator")]
    translators = [row for row in rows if row["translates"]]
    if translators:
        best = next((row for row in translators if "ema" in row["name"].lower()), translators[0])
        print(f"files    {Path(best['file']).parent}\npictures tightrope translate {best['file']} PICTURE --out OUT")
    elif makers:
        best = next((row for row in makers if "ema" in row["name"].lower() or "shadow" in row["name"]), makers[0])
        print(f"files    {Path(best['file']).parent}\nsamples  tightrope sample {best['file']} --seeds 0-15 --out samples")
    else:
        print(f"files    {Path(rows[0]['file']).parent}")


def _bar(share: float) -> None:
    full = round(share * BAR)
    end = "\n" if share >= 1 else ""
    print(f"\rreading  {'#' * full}{'.' * (BAR - full)} {share:4.0%}", end=end, file=sys.stderr, flush=True)
