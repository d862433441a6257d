"""The guardian in whole runs: bit-equal when it only watches, exact over a stop, ends what cannot be saved, ends what is finished."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tightrope
from tightrope.api import Options
from tightrope.core.errors import InputError, Interrupted, RunStopped
from tightrope.core.turns import Turns
from tightrope.report import balance as balance_page
from tightrope.training import checkpoint

GAN: dict[str, Any] = {"width": 16, "d_width": 8, "pieces": 1, "batch": 16, "z": 2, "lr": 2e-3}
SEEN = 1280


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clouds: something a tiny game can learn, or lose."""
    random = np.random.RandomState(0)
    path = tmp_path_factory.mktemp("data") / "points.npy"
    np.save(path, (np.sign(random.randn(400, 1)) * [[1.0, 0.5]] + 0.1 * random.randn(400, 2)).astype(np.float32))
    return path


def options(**more: Any) -> Options:
    return Options(**{"judge": 0, "threads": 1, "precision": "fp32", "tick": 64, "look": 1, **more})


def train(points: Path, folder: Path, options: Options, **fields: Any) -> tightrope.Run:
    return tightrope.train("gan", points, preset="default", run=folder, seen=SEEN, options=options, **{**GAN, **fields})


def state(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors, counters, _ = checkpoint.newest(folder / "checkpoints")
    return tensors, {k: v for k, v in counters.items() if k != "seconds"}


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = (folder / "events.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["event"] == kind]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {k: v for k, v in state(folder)[0].items() if k.startswith(("net/", "average/", "optimizer/", "rng/"))}


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key


def stop_at(tick: int) -> Callable[[dict[str, Any]], None]:
    """A listener that asks the run to stop, as Ctrl-C does."""
    count = 0

    def listen(event: dict[str, Any]) -> None:
        nonlocal count
        count += event["event"] == "tick"
        if event["event"] == "tick" and count == tick:
            os.kill(os.getpid(), signal.SIGINT)

    return listen


def test_a_run_that_is_only_watched_equals_one_without_a_guardian(points: Path, tmp_path: Path) -> None:
    for name, more in {"watch": {"guard": "watch"}, "off": {"guard": "off"}, "blind": {"guard": "off", "watch": False}}.items():
        train(points, tmp_path / name, options(**more))
    assert_equal(weights(tmp_path / "watch"), weights(tmp_path / "off"))
    assert_equal(weights(tmp_path / "watch"), weights(tmp_path / "blind"))
    assert events(tmp_path / "watch", "verdict") and not events(tmp_path / "off", "verdict")
    tick = events(tmp_path / "watch", "tick")[-1]["signals"]
    wanted = {"balance/lead", "balance/health", "grad/D", "update/G", "spectrum/D", "samples/faithful"}
    assert wanted <= tick.keys()


@pytest.mark.parametrize("safer", [True, False])
def test_a_run_with_an_acting_guardian_resumes_to_the_bit(safer: bool, points: Path, tmp_path: Path) -> None:
    # out of reach: the guardian turns knobs and goes back, and at last may give up
    hard = {"enough": {"faithful": 5.0}, "allow_safer": safer, "checkpoint_minutes": 1e-6}
    with contextlib.suppress(RunStopped):
        train(points, tmp_path / "straight", options(**hard))
    applied = events(tmp_path / "straight", "remedy")
    assert len(applied) >= 2 - safer and any(r["turns"].get("safer") for r in applied) == safer
    for tick in (3, 9):
        folder = tmp_path / f"stopped-{tick}"
        with pytest.raises(Interrupted):
            train(points, folder, options(**hard, listeners=(stop_at(tick),)))
        with contextlib.suppress(RunStopped):
            tightrope.resume(folder)
        (ours, our_counters), (theirs, their_counters) = state(folder), state(tmp_path / "straight")
        assert_equal(ours, theirs)
        assert our_counters == their_counters
        assert events(folder, "remedy") == applied


def test_a_broken_run_ends_early_with_what_was_tried_and_keeps_a_state(points: Path, tmp_path: Path) -> None:
    with pytest.raises(RunStopped, match="Tried:") as stopped:
        train(points, tmp_path / "run", options(enough={"faithful": 5.0}), lr=1.0)
    assert stopped.value.exit_code == 3
    (end,) = events(tmp_path / "run", "end")
    assert end["reason"] == "stopped" and end["seen"] < SEEN and "Tried:" in end["message"]
    assert (tmp_path / "run" / "generator.safetensors").is_file()
    assert balance_page.section([json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()])


def test_numbers_that_are_not_finite_are_gone_back_from(points: Path, tmp_path: Path) -> None:
    source = Path(tightrope.__file__).parent / "recipes" / "gan.py"
    own = tmp_path / "spoilt.py"
    spoilt = "Terms(adversarial=ALL[self.objective].d(on_real, on_fake) * (float('nan') if batch.round == 30 else 1.0))"
    own.write_text(source.read_text().replace("Terms(adversarial=ALL[self.objective].d(on_real, on_fake))", spoilt))
    run = tightrope.train(str(own), points, preset="default", run=tmp_path / "run", seen=SEEN, options=options(), **GAN)
    remedy = events(run.path, "remedy")[0]
    assert "non-finite" in [verdict["name"] for verdict in events(run.path, "verdict")]
    assert remedy["back_to"] is not None and remedy["turns"]["rates"]["D"] < 1
    assert events(run.path, "checked")[0]["helped"]
    assert all(torch.isfinite(v).all() for v in weights(run.path).values() if v.is_floating_point())
    assert events(run.path, "end")[0]["reason"] == "done"
    with pytest.raises(RunStopped, match="became nan"):
        tightrope.train(str(own), points, preset="default", run=tmp_path / "w", seen=SEEN, options=options(guard="watch"), **GAN)


def test_until_converged_ends_a_run_that_is_good_enough(points: Path, tmp_path: Path) -> None:
    run = train(points, tmp_path / "run", options(enough={"spread": 0.01}, until="converged"))
    assert events(run.path, "end")[0]["seen"] < SEEN
    assert events(run.path, "verdict")[-1]["name"] == "converged"
    again = tightrope.resume(run.path)  # it is finished: nothing more is trained
    assert len(events(again.path, "end")) == 1


def test_held_out_data_shows_whether_d_learns_its_data_by_heart(points: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.npy"
    np.save(other, np.random.RandomState(1).randn(200, 2).astype(np.float32))
    run = train(points, tmp_path / "run", options(held_out=other, guard="watch"))
    assert {"critic/train", "critic/held_out", "critic/fake", "critic/sure"} <= events(run.path, "tick")[-1]["signals"].keys()
    plain = train(points, tmp_path / "plain", options(guard="watch"))
    assert_equal(weights(run.path), weights(plain.path))
    wrong = tmp_path / "wrong.npy"
    np.save(wrong, np.zeros((200, 3), np.float32) + np.arange(200)[:, None])
    with pytest.raises(InputError, match="--held-out"):
        train(points, tmp_path / "wrong", options(held_out=wrong))


def test_turns_survive_json_and_are_neutral_as_made() -> None:
    turned = Turns(rates={"D": 0.3}, safer=True, support=0.05, repeats={"D": 1}, since=0.25, from_seen=400)
    assert Turns.from_json(json.loads(json.dumps(turned.to_json()))) == turned
    assert Turns().neutral and not turned.neutral


def test_wrong_wishes_get_one_sentence() -> None:
    for wrong in ({"guard": "maybe"}, {"until": "tired"}, {"enough": {"beauty": 1.0}}, {"until": "converged", "guard": "off"}):
        with pytest.raises(InputError, match="--"):
            Options(**wrong)
