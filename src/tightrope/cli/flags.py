"""What each verb takes: flags, help and examples, without torch. Verbs with much to say have theirs beside their code."""

from __future__ import annotations

from pathlib import Path

from tightrope.cli import logged
from tightrope.cli.parsing import Parser, enough


def train(parser: Parser) -> None:
    parser.description = "Train a recipe on data. Without a budget a run takes 10 minutes."
    parser.epilog = """A recipe's fields are flags too (tightrope show RECIPE lists them).

examples:
  tightrope train                                swift on fashion
  tightrope train swift ./photos --size 64 --minutes 60
  tightrope train dcgan fashion --seen 200000 --lr 1e-4
  tightrope train swift ./photos --until converged --held-out ./other-photos
  tightrope train swift ./few-photos --from runs/00003-swift-photos --freeze 2
  torchrun --nproc-per-node 2 -m -- tightrope train r3gan ./photos"""
    add = parser.add_argument
    add("recipe", nargs="?", metavar="RECIPE", help="a name of `tightrope recipes` or a recipe's file (default: swift)")
    add("data", nargs="?", metavar="DATA", help="an embedded set or a path, see `tightrope data` (default: fashion)")
    add("--preset", metavar="P", help="one of the recipe's presets; the data chooses by default")
    add("--run", metavar="DIR", help="the run's directory (default: the next number under --runs)")
    add("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where numbered runs are made (default: runs)")
    add("--seen", metavar="N", type=int, help="train until D has seen N real samples")
    add("--minutes", metavar="M", type=float, help="train for M minutes of wall time (default: 10)")
    add("--seed", metavar="S", type=int, default=0, help="of everything random (default: 0)")
    add("--size", metavar="PX", type=int, help="bring images to PX x PX")
    add("--device", metavar="D", help="cpu, cuda, cuda:1 ... (default: the accelerator where there is one)")
    add("--precision", metavar="P", default="auto", help="fp32, bf16 or auto, the faster by a short measurement (default)")
    add("--threads", metavar="N", type=int, help="CPU threads (default: torch's choice)")
    add("--tick", metavar="N", type=int, help="samples between two records and previews")
    add("--checkpoint-minutes", metavar="M", type=float, default=2.0, help="between two checkpoints (default: 2)")
    add("--judge", metavar="N", type=int, default=10_000, help="samples for the metrics at the end; 0 skips them")
    add("--no-watch", dest="watch", action="store_false", help="do not look at the samples during training")
    add("--guard", metavar="G", default="act", help="act (default), watch: only say what is wrong, or off")
    add("--allow-safer", action="store_true", help="the guardian may change to the relativistic game with R1 and R2")
    add("--enough", metavar="F=V", type=enough, default={}, help="samples that are good enough, like coverage=0.6,faithful=0.9")
    add("--until", metavar="U", help="converged: end where more training does not help")
    add("--held-out", metavar="DATA", help="real data not trained on: shows whether D learns its data by heart")
    add(
        "--look",
        metavar="N",
        type=int,
        help="ticks between two looks at the samples (default: as many as their share of the time allows)",
    )
    add("--from", dest="start", metavar="FILE", help="start from trained weights: a run, or a file or DIR of `tightrope import`")
    add("--freeze", metavar="K", type=int, help="hold D's first K layers, counted from the image (with --from)")
    add("--no-care", dest="care", action="store_false", help="do not warn of what is wrong before the start")
    add("--rate-test", action="store_true", help="first try out which learning rates each player can use (some seconds)")


def _recipe_file(parser: Parser) -> None:
    parser.add_argument("--recipe", metavar="FILE", help="the recipe's file, where the run was trained with your own")


def resume(parser: Parser) -> None:
    parser.description = "Go on with a run from its newest checkpoint, to the bit as if it had never stopped."
    _recipe_file(parser)
    parser.add_argument("run", metavar="RUN", help="a run directory")


def sample(parser: Parser) -> None:
    parser.description = "Draw samples from a trained generator. The same seed gives the same sample."
    parser.epilog = """examples:
  tightrope sample runs/00000-swift-fashion --seeds 0-63 --out faces --grid --gif
  tightrope sample runs/00001-projection-fashion --class sandal,boot --out shoes --truncation 0.7
  tightrope sample runs/00001-projection-fashion --mix sandal:boot --out mixed --gif
  tightrope sample runs/00002-tabular-adult -n 100000 --out rows.csv --where 'income=>50K' --where 'age>=50'
  tightrope sample runs/00002-tabular-adult -n 10000 --out rows.parquet --balance income"""
    _recipe_file(parser)
    add = parser.add_argument
    add("run", metavar="RUN", help="a run directory or a generator.safetensors")
    add("--seeds", metavar="S", help="like 0-63 or 1,5,10-12 (default: 0-63; of a --mix 0-7)")
    add("--latents", metavar="FILE", nargs="+", help="instead of seeds latents of `tightrope project`, or a folder of them")
    add("--out", metavar="DIR", required=True, help="where the files go; of a table also a .csv, .csv.gz or .parquet file")
    _rows(parser)
    add(
        "--class",
        dest="of_class",
        metavar="C",
        help="every seed in these classes: names, their beginnings or numbers, with commas",
    )
    add("--mix", metavar="A:B", help="instead one sheet, mix.png: a seed a row, from one class to the next")
    add("--steps", metavar="N", type=int, help="columns of a --mix (default: 9 for two classes)")
    add("--truncation", metavar="T", type=float, help="normal latents within -T ... T, such as 0.7: more typical, less diverse")
    add("--psi", metavar="P", type=float, default=1.0, help="styles nearer to their mean, such as 0.7 (generators with styles)")
    add("--cutoff", metavar="L", type=int, help="--psi in the layers before this one alone")
    add("--move", metavar="FILE:S", action="append", default=[], help="along a found direction, like f.safetensors#0:2.5")
    add("--grid", action="store_true", help="also one picture of all samples, grid.png; where there are classes one a column")
    add("--best", action="store_true", help="from the weights whose samples were the best, not from the last ones")
    add("--npz", action="store_true", help="also all samples as an array, samples.npz, with their classes")
    add("--gif", action="store_true", help="also interpolation.gif, through the first 16 seeds and back (of a --mix: mix.gif)")


def _rows(parser: Parser) -> None:
    """What is asked of a table."""
    add = parser.add_argument_group("tables").add_argument
    add("-n", "--rows", metavar="N", type=int, help="rows of a table (default: as many as the data has)")
    add("--where", metavar="COND", action="append", default=[], help="every row: 'income=>50K', 'job=missing', 'age>=50'; repeat")
    add("--balance", metavar="COLUMN", help="as many rows of each of its values")
    add("--count", metavar="COND:N", action="append", default=[], help="instead of -n so many rows of these; repeat")
    add("--seed", metavar="S", type=int, default=0, help="of the rows (default: 0)")


def export(parser: Parser) -> None:
    parser.description = "Write a trained generator for other programs, checked against PyTorch, with its model card."
    parser.epilog = """forms:
  onnx         generator.onnx, run by onnxruntime and others (pip install "tightrope[onnx]")
  torch        generator.pt2, a program of torch.export
  safetensors  generator.safetensors, the weights, which `tightrope sample` and tightrope.load open anywhere
  folder       the ONNX file and infer.py, which needs numpy, onnxruntime and pillow alone
  pth          generator.pth, the weights under the keys of the published code, where there are such

examples:
  tightrope export runs/00000-swift-fashion --to folder --out swift
  cd swift && python infer.py --seed 3 --count 16 --out grid.png"""
    _recipe_file(parser)
    add = parser.add_argument
    add("run", metavar="RUN", help="a run directory or a generator.safetensors")
    add("--to", metavar="FORM", required=True, choices=("onnx", "torch", "safetensors", "folder", "pth"), help="which form")
    add("--out", metavar="DIR", required=True, help="where the files go")
    add("--best", action="store_true", help="the weights whose samples were the best, not the last ones")


def _judging(parser: Parser, what: str | int) -> None:
    """What evaluate and doctor share."""
    _recipe_file(parser)
    add = parser.add_argument
    add("what", metavar="RUN|FOLDER|FILE", nargs=what, help="runs, generators, or samples: a folder, zip, .npz, .npy, IDX, CSV")
    add("--data", metavar="DATA", help="the real data, as for training; a run knows its own")
    add("--held-out", metavar="DATA", help="real data that was not trained on: shows copying; what is scored of translations")
    add("--count", metavar="N", type=int, default=10_000, help="the most samples that are judged (default: 10000)")
    add("--extractor", metavar="E", help="whose features are compared: an id of `tightrope extractors`, domain, or a file")
    add("--weights", metavar="FILE", type=Path, help="the extractor's weights, where it needs a file of yours")
    add("--size", metavar="PX", type=int, help="bring images to PX x PX (default: the size they are)")
    add("--seed", metavar="S", type=int, default=0, help="of everything random (default: 0)")


def evaluate(parser: Parser) -> None:
    parser.description = "Measure runs or samples against real data and append the numbers to their metrics.jsonl."
    parser.epilog = """examples:
  tightrope evaluate runs/00000-swift-fashion
  tightrope evaluate ./samples --data ./photos --extractor effnet-lite0
  tightrope evaluate runs/* --json"""
    _judging(parser, "+")
    parser.add_argument("--target", metavar="COLUMN", help="of tables with --held-out: the column that learners predict")
    parser.add_argument("--quick", action="store_true", help="the Frechet distance, classes and modes alone")
    parser.add_argument("--perceptual", action="store_true", help="also LPIPS diversity and path length (LPIPS' weights needed)")
    parser.add_argument("--out", metavar="FILE", type=Path, help="append to this file instead")


def doctor(parser: Parser) -> None:
    parser.description = "Say in words whether samples are diverse, faithful, copied, repeated, missing classes or shrunken."
    parser.epilog = """The page is doctor.html in the run or folder. Without --extractor the doctor takes the classifier that
ships for this data, or trains one on it (up to three minutes, once; it is kept).

A log (CSV, TSV, JSON lines, TensorBoard's event files) is judged without data: where the run broke, how sure, what it cost.

examples:
  tightrope doctor ./samples --data ./photos
  tightrope doctor runs/00000-swift-fashion --json
  tightrope doctor losses.csv"""
    _judging(parser, 1)
    logged.arguments(parser)
    parser.add_argument("--out", metavar="FILE.html", type=Path, help="write the page there instead")


def leaderboard(parser: Parser) -> None:
    parser.description = "Rank what was evaluated. Only numbers of one protocol stand in one table."
    parser.epilog = "example:\n  tightrope leaderboard runs --metric recall"
    parser.add_argument("places", metavar="PLACE", nargs="*", help="runs, folders, or folders of them (default: runs)")
    parser.add_argument("--metric", metavar="M", help="the metric, with or without its bracket (default: the Frechet distance)")


def extractors(parser: Parser) -> None:
    parser.description = "List the networks whose features can be compared, and what each needs."


def report(parser: Parser) -> None:
    parser.description = "Write report.html, one file that opens from disk without a network."
    parser.add_argument("run", metavar="RUN", help="a run directory")


def recipes(parser: Parser) -> None:
    parser.description = "List the recipes with their papers."


def data(parser: Parser) -> None:
    parser.description = "Show what training would see: counts, sizes, classes, rejected files, licence, a grid."
    parser.add_argument("data", nargs="?", metavar="NAME|PATH", help="an embedded set or a path; lists the sets if left out")
    parser.add_argument("--size", metavar="PX", type=int, help="bring images to PX x PX")
    parser.add_argument("--grid", metavar="FILE.png", type=Path, help="write a grid of 64 real samples")
