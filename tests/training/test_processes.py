"""Two processes compute the gradients of one: every recipe whose networks do not mix samples, through the real engine and gloo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from splitting import why_not
from tightrope import recipes
from tightrope.core.game import Knobs
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from toys import SHAPES, ToyDataset

Gradients = dict[str, torch.Tensor]


def gradients(name: str, modality: str) -> Gradients:
    """Every phase's averaged gradients on the first batch, in this process's place among the others."""
    recipe = recipes.find(name)(**{**recipes.header(name).resolve("toy", {}), "batch": 8})
    dataset, engine = ToyDataset(SHAPES[modality], modality=modality), Engine("cpu")
    game, found = Game(recipe, dataset.spec, engine, seed=0), {}
    for phase in recipe.phases():
        game.only(phase.moves + phase.keeps)
        phase.terms(game.nets, Feed(recipe, dataset, engine, 0).draw(0, 0), Knobs()).total.backward()
        for player in phase.moves:
            engine.average_gradients(game.nets[player].parameters())
            found |= {f"{player}/{k}": p.grad.clone() for k, p in game.nets[player].named_parameters() if p.grad is not None}
            game.nets[player].zero_grad()
    return found


def splittable() -> list[tuple[str, str]]:
    """(recipe, modality) whose gradients do not depend on the split."""
    found = []
    for name in recipes.names():
        recipe = recipes.find(name)(**{**recipes.header(name).resolve("toy", {}), "batch": 8})
        for modality in recipe.MODALITIES:
            dataset, engine = ToyDataset(SHAPES[modality], modality=modality), Engine("cpu")
            game = Game(recipe, dataset.spec, engine, 0)
            if not why_not(game, Feed(recipe, dataset, engine, 0).draw(0, 0)):
                found.append((name, modality))
    return found


CASES = json.loads(os.environ["CASES"]) if "RANK" in os.environ else splittable()  # one of two processes is told by the test


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Gradients]:
    """Gradients of all of them, as the first of two processes has them."""
    path = tmp_path_factory.mktemp("two") / "gradients.pt"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    shared = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "PYTHONPATH": paths,
        "CASES": json.dumps(CASES),
    }
    workers = [subprocess.Popen([sys.executable, __file__, str(path)], env={**shared, "RANK": str(rank)}) for rank in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_two_processes_have_the_gradients_of_one(name: str, modality: str, two: dict[str, Gradients]) -> None:
    one = gradients(name, modality)
    assert one.keys() == two[f"{name}-{modality}"].keys()
    for key, gradient in one.items():
        scale = max(1.0, gradient.abs().max().item())
        assert (gradient - two[f"{name}-{modality}"][key]).abs().max().item() < 2e-6 * scale, key


if __name__ == "__main__":
    torch.set_num_threads(1)
    everything = {f"{name}-{modality}": gradients(name, modality) for name, modality in CASES}
    if os.environ["RANK"] == "0":
        torch.save(everything, sys.argv[1])
