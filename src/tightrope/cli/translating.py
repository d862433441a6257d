"""`tightrope translate`: its flags. The work is in `cli.translated`, which needs torch."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from tightrope.cli.parsing import Parser
from tightrope.core.errors import InputError


def arguments(parser: Parser) -> None:
    """The flags of the verb."""
    parser.description = "Turn pictures into pictures: enlarge, restyle, restore. Large ones go through in parts, without seams."
    parser.epilog = """Results that are there and newer than their pictures are kept: the same command again goes on where it
stopped. Files that are no pictures are named at the end.

examples:
  tightrope import realesrgan-x4plus.param --out x4plus
  tightrope translate x4plus/G.safetensors photo.jpg --out large.png
  tightrope translate x4plus/G.safetensors ./photos --out large --format png --compare
  tightrope translate horse2zebra/G.safetensors 'photos/**/*.jpg' --out zebras"""
    add = parser.add_argument
    add("network", metavar="RUN|FILE", help="a run, or a network that `tightrope import` wrote")
    add("inputs", metavar="INPUT", nargs="+", help="images, films, folders with all that lies in them, patterns in quotes")
    add("--out", metavar="OUT", required=True, type=Path, help="a file for one file, else a folder")
    add("--recipe", metavar="FILE", help="the recipe's file, where the run was trained with your own")
    add("--way", metavar="W", help="which way, where a recipe translates in several (default: its first)")
    add("--format", metavar="F", help="png, jpg, webp, tiff or bmp (default: as OUT ends, or each input's own)")
    add("--tile", metavar="PX", type=int, help="side of the parts (default: as large as memory allows)")
    add("--overlap", metavar="PX", type=int, help="that parts see beyond themselves (default: 48, or all the network can see)")
    add("--towards", metavar="FILE", help="another network of the same kind; --strength says how far its weights are gone to")
    add("--strength", metavar="S", type=float, help="0: RUN alone, 1: --towards alone (default: 0.5)")
    add("--compare", action="store_true", help="also a page with a slider between each picture and its result")
    add("--force", action="store_true", help="translate again what has been translated, and replace what is there")
    add("--threads", metavar="N", type=int, help="CPU threads (default: torch's choice)")
    add("--device", metavar="D", help="cpu, cuda, cuda:1 ... (default: the accelerator where there is one)")


def translate(asked: Namespace) -> None:
    """Check what can be checked without torch, then translate."""
    if asked.strength is not None and asked.towards is None:
        raise InputError("--strength: has a meaning between two networks; name the other one: --towards FILE.")
    if asked.strength is not None and not -1 <= asked.strength <= 2:
        raise InputError(f"--strength {asked.strength:g}: from 0 to 1 between the networks, from -1 to 2 at most.")
    if asked.threads is not None and asked.threads < 1:
        raise InputError(f"--threads {asked.threads}: at least 1.")
    if not Path(asked.network).exists():
        raise InputError(f"{asked.network}: no such file or run; `tightrope import` makes networks of checkpoints.")
    from tightrope.cli import translated

    translated.translate(asked)
