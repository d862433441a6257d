"""`tightrope augment`: its flags. The work is in `cli.augmented`, which needs torch."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from tightrope.cli.parsing import Parser
from tightrope.core.errors import InputError


def arguments(parser: Parser) -> None:
    """The flags of the verb."""
    parser.description = "Few rows or pictures: does learning from generated ones help? It says so, also where it does not."
    parser.epilog = """Every way (none, class weights, SMOTE, classic augmentation, the GAN) is judged on real examples that it
has not seen; how much is added is chosen by cross-validation on the others. Generated examples are audited for copies before
anything is written. The same command again goes on where it stopped.

examples:
  tightrope augment patients.csv --target outcome
  tightrope augment patients.csv --target outcome --out augmented --seeds 10
  tightrope augment ./x-rays --out augmented --minutes 60"""
    add = parser.add_argument
    add("data", metavar="DATA", help="a table's file, or a folder of pictures with a folder a class")
    add("--target", metavar="COLUMN", help="of a table, the column to be predicted: classes or numbers")
    add("--out", metavar="DIR", type=Path, help="where the report, the figures and what is recommended go")
    add("--seeds", metavar="N", type=int, default=5, help="comparisons, each with other examples kept apart (default: 5)")
    add(
        "--minutes", metavar="M", type=float, help="of all trainings together (default: tables as long as they need, pictures 30)"
    )
    add("--anyway", action="store_true", help="write what the GAN makes though it is not recommended; copies never")


def augment(asked: Namespace) -> None:
    """Check what can be checked without torch, then compare."""
    if asked.seeds < 1:
        raise InputError(f"--seeds {asked.seeds}: at least 1; 5 are usual.")
    if asked.minutes is not None and not 0 < asked.minutes < float("inf"):
        raise InputError(f"--minutes {asked.minutes:g}: more than 0.")
    if asked.out is not None and asked.out.exists() and not asked.out.is_dir():
        raise InputError(f"--out {asked.out}: is a file; name a directory.")
    if asked.anyway and asked.out is None:
        raise InputError("--anyway: writes rows or pictures; name where to, --out DIR.")
    from tightrope.cli import augmented

    augmented.augment(asked)
