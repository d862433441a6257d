"""Which column of a log is what: its clock, its time, the losses of its players, its metrics and which way they are better."""

from __future__ import annotations

import re
from collections.abc import Iterable

TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
JOINED = re.compile(r"^(d|g|dis|disc|gen)(loss|err)$|^(err|loss|net)(d|g)$")

CLOCKS = (  # the finest first; all of a row's rank are one thing under several names
    ("seen", "nimg", "curnimg", "images", "imgs", "nimages", "samples"),
    ("kimg",),
    ("step", "steps", "globalstep", "trainerglobalstep", "nstep", "it", "its", "iter", "iters", "iteration", "iterations",
     "niter", "niters"),
    ("batch", "batchidx", "batchindex", "batchid", "minibatch", "i"),
    ("epoch", "epochs", "nepoch"),
    ("tick", "ticks"),
)  # fmt: skip
IN_EPOCH = CLOCKS[2] + CLOCKS[3]  # may begin anew in every epoch
TIMES = {  # -> seconds of one unit
    **dict.fromkeys(("seconds", "sec", "secs", "totalsec", "elapsed", "elapsedtime", "elapsedseconds", "timeelapsed"), 1.0),
    **dict.fromkeys(("time", "totaltime", "walltime", "timestamp", "runtime"), 1.0),
    **dict.fromkeys(("minutes", "mins"), 60.0),
    **dict.fromkeys(("hours", "totalhours"), 3600.0),
}
PLAYERS = {**dict.fromkeys(("d", "dis", "disc", "discriminator", "critic"), "D"), **dict.fromkeys(("g", "gen", "generator"), "G")}
LOSS = ("loss", "losses", "err", "error", "cost", "adversarial", "adv", "objective", "gan")
PLAIN = (*LOSS, "train", "training", "epoch", "step", "avg", "average", "mean", "total", "net", "batch")
PARTS = {  # words of other things than a player's loss
    "reg", "gp", "r1", "r2", "penalty", "pl", "path", "grad", "gradient", "norm", "lr", "rate", "weight", "acc",
    "accuracy", "std", "min", "max", "cycle", "cyc", "idt", "identity", "l1", "l2", "perceptual", "vgg", "kl", "recon",
    "rec", "reconstruction", "feat", "feature", "fm", "cls", "class", "aux", "sign", "signs", "score", "scores", "logit",
    "logits", "time", "sec", "x", "z", "gz", "gamma", "lambda", "fraction",
}  # fmt: skip
HALVES = ("real", "fake")
METRICS = {  # token -> better; the first is the one a run is judged by
    "fid": "lower", "frechet": "lower", "kid": "lower", "fvd": "lower", "fad": "lower", "swd": "lower", "mmd": "lower",
    "jsd": "lower", "js": "lower", "emd": "lower", "ndb": "lower", "ppl": "lower", "inception": "higher", "is": "higher",
    "modes": "higher", "coverage": "higher", "recall": "higher", "precision": "higher", "density": "higher", "ssim": "higher",
    "psnr": "higher",
}  # fmt: skip
NOT_MEASURED = {"best", "min", "max", "std", "time", "sec", "loss", "err", "num", "n", "lr", "null", "interval", "count"}
OWN_SCORE = "samples/score"  # Tightrope's summary of a run's samples


def tokens(name: str) -> list[str]:
    """Words of a column's name in lower case: "Loss/D/loss" -> loss, d, loss; "errD" -> err, d; "fid50k" -> fid, 50, k."""
    found: list[str] = []
    for word in (word.lower() for word in TOKEN.findall(name)):
        joined = JOINED.match(word)
        found += [part for part in joined.groups() if part] if joined else [word]
    return found


def key(name: str) -> str:
    """The last part of a path, letters and digits alone: "trainer/global_step" -> globalstep."""
    return re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower())


def clocks(names: Iterable[str]) -> list[str]:
    """Columns that may be the clock, the finest first."""
    ranked = [(rank, i, name) for i, name in enumerate(names) for rank, keys in enumerate(CLOCKS) if key(name) in keys]
    return [name for _, _, name in sorted(ranked)]


def times(names: Iterable[str]) -> dict[str, float]:
    """Columns that may be time since the start, with the seconds of their unit; those that say their unit first."""
    found = [name for name in names if key(name) in TIMES]
    return {name: TIMES[key(name)] for name in sorted(found, key=lambda name: list(TIMES).index(key(name)))}


def losses(names: Iterable[str]) -> dict[str, list[str]]:
    """{"loss/D": columns whose sum is D's loss}; "loss/D_A" where there are several players of one kind."""
    names = list(names)
    read = {name: tokens(name) for name in names}
    bare = {PLAYERS[words[0]] for words in read.values() if len(words) == 1 and words[0] in PLAYERS}
    found: dict[str, list[tuple[int, str]]] = {}
    halves: dict[str, dict[str, str]] = {}
    for name, words in read.items():
        players = [word for word in words if word in PLAYERS]
        if not players or PARTS.intersection(words) or not (set(LOSS) & set(words) or (len(words) == 1 and bare == {"D", "G"})):
            continue
        left = [word for word in words if word not in PLAIN and word not in PLAYERS]
        of = f"loss/{PLAYERS[players[0]]}" + "".join(f"_{word.upper()}" for word in left if word in ("a", "b"))
        left = [word for word in left if word not in ("a", "b")]
        if len(left) == 1 and left[0] in HALVES:
            halves.setdefault(of, {}).setdefault(left[0], name)
        elif not set(HALVES) & set(left):
            found.setdefault(of, []).append((len(left), name))
    chosen = {of: [min(columns, key=lambda c: c[0])[1]] for of, columns in found.items()}
    whole = {of: [parts[half] for half in HALVES] for of, parts in halves.items() if len(parts) == 2 and of not in chosen}
    return dict(sorted((chosen | whole).items()))


def metrics(names: Iterable[str]) -> dict[str, str]:
    """{column: "lower" or "higher"} of the metrics, the one that a run is judged by first."""
    found: list[tuple[int, int, str, str]] = []
    ranks = list(METRICS)
    for i, name in enumerate(names):
        words = tokens(name)
        hits = [word for word in words if word in METRICS]
        if name == OWN_SCORE:
            found.append((-1, i, name, "higher"))
        elif hits and not NOT_MEASURED.intersection(words):
            found.append((min(map(ranks.index, hits)), i, name, METRICS[min(hits, key=ranks.index)]))
    return {name: better for _, _, name, better in sorted(found)}
