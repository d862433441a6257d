"""`tightrope import`: a file a network, what it says, and how it fails."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from crafted import Call, saved, write
from tightrope.cli.main import main

STATE = {"main.0.weight": torch.randn(4, 8, 4, 4), "main.1.weight": torch.randn(8)}


def test_a_file_a_network_with_a_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path, saved({"netG": STATE}), "netG.pth")
    assert main(["import", str(source), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["networks"][0]["system"] == "dcgan-generator" and said["networks"][0]["parameters"] == 520
    with safe_open(tmp_path / "out" / "netG.safetensors", framework="pt") as file:
        header = file.metadata()
        assert torch.equal(file.get_tensor("main.0.weight"), STATE["main.0.weight"])
    assert header["format"] == "tightrope-network-1" and header["system"] == "dcgan-generator"
    assert (
        header["source"] == "netG.pth" and header["source_sha256"] == said["source_sha256"] and json.loads(header["hints"]) == {}
    )
    assert "unknown" in header["licence"]


def test_it_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path, saved(STATE), "g.pth")
    assert main(["import", str(source), "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "dcgan-generator" in out and f"tightrope sample {tmp_path / 'G.safetensors'} --seeds 0-15 --out samples" in out


def test_a_hostile_file_is_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    canary = tmp_path / "canary"
    source = write(tmp_path, pickle.dumps(Call(os.system, f"touch {canary}")))
    assert main(["import", str(source), "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert "posix.system" in err and "Nothing in it was run" in err
    assert not canary.exists() and not (tmp_path / "out").exists()


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "none.pkl"), "--out", str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["import", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
