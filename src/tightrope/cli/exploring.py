"""`tightrope explore`: its flags. The work is in `cli.steering`, which needs torch."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

from tightrope.cli.parsing import Parser, nearest
from tightrope.core.errors import InputError

ACTIONS = {
    "mix": "a matrix of styles: a seed a row, others as columns, whose styles the chosen layers are given",
    "walk": "a film from seed to seed",
    "directions": "directions without labels, and a sheet of sliders",
    "attribute": "the direction of what you say of samples, of a measure, or of a class",
    "slide": "a sheet of sliders for directions of files",
}
METHODS = ("sefa", "ganspace")
MOST = 99  # columns of a sheet
ONLY: dict[str, tuple[str, ...]] = {  # flags that say something to some actions alone
    "rows": ("mix",), "columns": ("mix",),
    "frames": ("walk",), "rate": ("walk",), "movie": ("walk",), "cells": ("walk",),
    "method": ("directions",), "count": ("directions",),
    "labels": ("attribute",), "measure": ("attribute",), "toward": ("attribute",), "against": ("attribute",),
    "keep": ("attribute",), "steady": ("attribute",), "draws": ("attribute",), "extractor": ("attribute",),
    "name": ("attribute",), "directions": ("slide",), "strengths": ("directions", "attribute", "slide"),
}  # fmt: skip


def arguments(parser: Parser) -> None:
    """The flags of the verb."""
    listed = "\n".join(f"  {name:<12}{what}" for name, what in ACTIONS.items())
    parser.description = f"Steer a generator: mix styles, walk, find directions and move along them.\n\nactions:\n{listed}"
    parser.epilog = """Strengths are standard deviations of what is drawn, along the direction.

examples:
  tightrope explore RUN mix --space w --rows 0-3 --columns 10-15 --layers 4-7 --out mixed
  tightrope explore RUN walk --seeds 1,5,9 --movie mp4 --out film
  tightrope explore RUN directions --method sefa --count 8 --out found
  tightrope explore RUN attribute --labels smiles.csv --out found
  tightrope explore RUN attribute --toward boot --against sandal --keep found/brightness.safetensors --out found
  tightrope explore RUN slide --directions found/sefa.safetensors#0 --seeds 0-7 --out sheets
  tightrope explore RUN walk --seeds 1,5 --move found/brightness.safetensors:2 --out film"""
    parser.add_argument("run", metavar="RUN", help="a run directory or a generator.safetensors")
    parser.add_argument("action", metavar="ACTION", help=f"{', '.join(ACTIONS)}")
    _shared(parser)
    _of_actions(parser)


def _shared(parser: Parser) -> None:
    add = parser.add_argument
    add("--out", metavar="DIR", type=Path, help="where the files go (default: RUN/explored, which the run's report shows)")
    add("--recipe", metavar="FILE", help="the recipe's file, where the run was trained with your own")
    add("--best", action="store_true", help="the weights whose samples were the best, not the last ones")
    add("--space", metavar="S", help="z (default; every recipe) or w (generators with styles)")
    add("--seeds", metavar="S", help="like 0-7 or 1,5,10-12 (default: 0-7; for a sheet of several directions 0)")
    add("--latents", metavar="FILE", nargs="+", help="latents of `tightrope project` in place of seeds")
    add("--class", dest="of_class", metavar="C", help="for all seeds, or one a seed with commas: names, beginnings or numbers")
    add("--truncation", metavar="T", type=float, help="normal latents within -T ... T")
    add(
        "--psi",
        metavar="P",
        type=float,
        default=1.0,
        help="styles nearer to their mean: 1 as they are (default), 0.7 more typical",
    )
    add("--cutoff", metavar="L", type=int, help="--psi in the layers before this one alone")
    add("--layers", metavar="L", help="layers that are mixed or moved, like 0-3 (default: all; of a mix the finer half)")
    add("--move", metavar="FILE:S", action="append", default=[], help="first move every place, like found.safetensors#0:2.5")


def _of_actions(parser: Parser) -> None:
    add = parser.add_argument
    add("--rows", metavar="S", help="mix: seeds of the rows (default: 0-3)")
    add("--columns", metavar="S", help="mix: seeds whose styles the chosen layers are given (default: 10-15)")
    add("--movie", metavar="KIND", help="walk: gif, webp (default) or mp4")
    add("--frames", metavar="N", type=int, help="walk: frames from one seed to the next (default: 24)")
    add("--rate", metavar="N", type=int, help="walk: frames a second (default: 24)")
    add("--cells", metavar="N", type=int, help="walk: samples side by side, each a seed ahead of the other (default: 1)")
    add("--method", metavar="M", help="directions: sefa (default), from the weights; or ganspace, from what samples do")
    add("--count", metavar="N", type=int, help="directions: how many (default: 8)")
    add("--strengths", metavar="S", help="the columns of sliders: 3:7 (default) is seven from -3 to 3; or 0,1,2")
    add("--labels", metavar="FILE", type=Path, help="attribute: CSV or JSON of a seed and a label each; a few dozen are enough")
    add("--measure", metavar="M", help="attribute: brightness, size, warmth or saturation of the picture")
    add("--toward", metavar="C", help="attribute: samples of this class, as a classifier of the data sees them")
    add("--against", metavar="C", help="attribute: with --toward, and not of this class (default: any other)")
    add("--extractor", metavar="E", help="attribute: whose classes, as for `tightrope evaluate` (default: that of the data)")
    add("--keep", metavar="FILE#N", action="append", help="attribute: moves along none of these directions (repeat it)")
    add(
        "--steady",
        action="store_true",
        default=None,
        help="attribute: change the rest of a sample as little as may be (its features)",
    )
    add("--draws", metavar="N", type=int, help="attribute: samples that are looked at (default: 2000)")
    add("--name", metavar="NAME", help="attribute: what the direction is called")
    add("--directions", metavar="FILE#N", action="append", help="slide: a file of directions, or one of it (repeat it)")


def explore(asked: Namespace) -> None:
    """Check what can be checked without torch, then steer."""
    if asked.action not in ACTIONS:
        raise nearest(asked.action, list(ACTIONS), "tightrope explore: the action")
    for flag, actions in ONLY.items():
        if getattr(asked, flag) is not None and asked.action not in actions:
            raise InputError(f"--{flag}: is for {', '.join(actions)}; leave it out of {asked.action}.")
    if asked.out is None and not Path(asked.run).is_dir():
        raise InputError(f"--out: {asked.run} is no run that files could be kept with; say where they go.")
    asked.within = asked.out is None
    asked.out = asked.out or Path(asked.run) / "explored"
    if asked.out.exists() and not asked.out.is_dir():
        raise InputError(f"--out {asked.out}: is a file; name a directory.")
    strengths(asked.strengths)
    from tightrope.cli import steering

    steering.steer(asked)


def strengths(text: str | None) -> tuple[float, ...] | None:
    """Read "3:7" as seven numbers from -3 to 3, and "0,1,2.5" as they are."""
    if text is None:
        return None
    number = r"[-+]?\d+(?:\.\d+)?"
    if re.fullmatch(rf"{number}(,{number})+", text):
        return tuple(float(part) for part in text.split(","))
    parts = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+)", text)
    if parts is None or not 2 <= int(parts[2]) <= MOST:
        raise InputError(f"--strengths {text!r}: write how far and how many, like 3:7 for -3 to 3, or numbers, like 0,1,2.")
    far, count = float(parts[1]), int(parts[2])
    return tuple(round(far * (2 * i / (count - 1) - 1), 6) for i in range(count))
