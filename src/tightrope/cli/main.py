"""The program `tightrope`: one verb a thing a user wants done."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tightrope import __version__
from tightrope.cli import augmenting, bench, exploring, flags, importing, logged, projecting, showing, translating
from tightrope.cli.parsing import Parser, field_flags, nearest
from tightrope.core.errors import InputError, TightropeError

ABOUT = f"""Tightrope {__version__}: train, steady, judge and serve generative adversarial networks.

  tightrope train                          the default recipe on embedded data, 10 minutes
  tightrope train swift ./photos --minutes 60
  tightrope resume RUN                     go on with a run
  tightrope sample RUN --seeds 0-63 --out DIR --grid
  tightrope sample RUN -n 100000 --out rows.csv   rows of a table, also under conditions: --where 'age>=50'
  tightrope export RUN --to onnx --out DIR for other programs: onnx, torch, safetensors, folder, pth
  tightrope import FILE --out DIR          open another project's checkpoint; nothing in it is run
  tightrope explore RUN walk --out DIR     steer: mix, walk, directions, attribute, slide
  tightrope project RUN PICTURE --out DIR  find the latent of a picture
  tightrope translate RUN|FILE PICTURES    turn pictures into pictures: enlarge, restyle, restore
  tightrope augment DATA --target COLUMN   few rows, or pictures with classes: whether generated ones help, in words
  tightrope evaluate RUN                   judge a run's generator again
  tightrope evaluate FOLDER --data DATA    judge samples that anything made
  tightrope doctor FOLDER --data DATA      say in words what is wrong with them, on one page
  tightrope doctor LOG                     where a finished run broke, how sure that is, what it cost
  tightrope leaderboard runs               runs side by side
  tightrope report RUN                     write report.html
  tightrope extractors                     whose features can be compared, and what each needs
  tightrope recipes                        the systems, and the papers they come from
  tightrope show RECIPE                    one recipe's fields, networks, phases drawn, and what they cost
  tightrope data [NAME|PATH]               what training would see
  tightrope bench [NAME]                   published benchmarks, run and set beside the published figures

Every verb takes --help and --json. Exit codes: 0 done, 2 wrong input, 3 the run could not go on, 130 interrupted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(ABOUT)
        elif words[0] in ("-V", "--version"):
            print(f"tightrope {__version__}")
        else:
            _run(words)
        return 0
    except TightropeError as error:
        return _fail(str(error), error.exit_code, as_json)
    except KeyboardInterrupt:
        return _fail("interrupted.", 130, as_json)
    except BrokenPipeError:  # the reader of a pipe left; nothing is wrong with the run
        sys.stderr.close()
        return 0
    except OSError as error:  # a place named by the user that cannot be made, read or written
        if error.filename is None:
            raise
        return _fail(f"{error.filename}: {error.strerror}; name another place.", 2, as_json)


def _fail(message: str, code: int, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": message, "exit_code": code}), flush=True)
    print(f"tightrope: {message}", file=sys.stderr)
    return code


def _run(words: list[str]) -> None:
    verb = words[0]
    if verb not in VERBS:
        raise nearest(verb, list(VERBS), "the command")
    parser, action = Parser(prog=f"tightrope {verb}"), VERBS[verb][1]
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    VERBS[verb][0](parser)
    arguments, rest = parser.parse_known_args(words[1:])
    if rest and verb not in ("train", "show"):
        known = [flag for item in parser._actions for flag in item.option_strings]
        raise nearest(rest[0], known, f"tightrope {verb}: the argument")
    arguments.rest = rest
    arguments.own_flags = [flag for item in parser._actions for flag in item.option_strings]
    action(arguments)


def _train(arguments: Namespace) -> None:
    from tightrope import recipes

    recipe, data = arguments.recipe or "swift", arguments.data
    no_recipe = recipe not in recipes.names() and not recipe.endswith(".py")
    if data is None and no_recipe and _is_data(recipe):
        recipe, data = "swift", recipe
    header = recipes.header(recipe)
    fields = field_flags(arguments.rest, header.fields, arguments.own_flags, header.name)
    header.resolve(arguments.preset, fields)
    if arguments.seen is not None and arguments.minutes is not None:
        raise InputError("--seen and --minutes are both given: a run has one budget, choose one.")
    from tightrope.cli import verbs

    verbs.train(arguments, recipe, data or "fashion", fields)


def _is_data(word: str) -> bool:
    from tightrope import data

    return word in data.names() or Path(word).exists()


def _doctor(arguments: Namespace) -> None:
    (logged.doctor if logged.is_asked(arguments) else _later("doctor", "judging"))(arguments)


def _later(name: str, module: str = "verbs") -> Callable[[Namespace], None]:
    """A verb whose code (and torch, if it needs it) is imported when it runs."""

    def run(arguments: Namespace) -> None:
        action: Any = vars(import_module(f"tightrope.cli.{module}"))[name]
        action(arguments)

    return run


VERBS: dict[str, tuple[Callable[[Parser], None], Callable[[Namespace], None]]] = {
    "train": (flags.train, _train),
    "resume": (flags.resume, _later("resume")),
    "sample": (flags.sample, _later("sample", "sampling")),
    "export": (flags.export, _later("export", "exporting")),
    "import": (importing.arguments, _later("read", "importing")),
    "explore": (exploring.arguments, _later("explore", "exploring")),
    "project": (projecting.arguments, _later("project", "projecting")),
    "translate": (translating.arguments, _later("translate", "translating")),
    "augment": (augmenting.arguments, augmenting.augment),
    "evaluate": (flags.evaluate, _later("evaluate", "judging")),
    "doctor": (flags.doctor, _doctor),
    "leaderboard": (flags.leaderboard, _later("leaderboard", "judging")),
    "extractors": (flags.extractors, _later("extractors", "listing")),
    "report": (flags.report, _later("report")),
    "recipes": (flags.recipes, _later("recipes", "listing")),
    "show": (showing.arguments, _later("show", "showing")),
    "data": (flags.data, _later("data")),
    "bench": (bench.arguments, _later("bench", "bench")),
}


if __name__ == "__main__":
    raise SystemExit(main())
