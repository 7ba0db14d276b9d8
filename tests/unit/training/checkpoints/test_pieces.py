"""Pieces of tensors on disk: safetensors' own reader finds them, and any other cut is read back."""

from __future__ import annotations

import hashlib

import pytest
import torch
from safetensors.torch import load_file

from ecglfm.config import UserError
from ecglfm.training.checkpoints.pieces import Copy, Piece, Pieces


def write(path, pieces, notes=None):
    copy = Copy()
    copy.take(pieces, notes or {})
    return copy.write(path)


def test_the_file_is_safetensors(tmp_path):
    tensors = {
        "half": torch.tensor([1.5, -2.0, 3.0]).half(), "count": torch.tensor([2**40]), "float": torch.tensor([0.1, 0.2]),
        "flag": torch.tensor([True]), "brain": torch.tensor([0.5]).bfloat16(), "empty": torch.empty(0),
    }  # fmt: skip
    note = write(tmp_path / "a", [Piece("weight", name, 7, value) for name, value in tensors.items()])
    read = load_file(tmp_path / "a")
    assert sorted(read) == sorted(f"weight/{name}@7" for name in tensors)
    for name, value in tensors.items():
        torch.testing.assert_close(read[f"weight/{name}@7"], value, rtol=0, atol=0)
    content = (tmp_path / "a").read_bytes()
    assert note == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_copy_is_taken_again_in_the_same_memory(tmp_path):
    copy, values = Copy(), torch.arange(4.0)
    copy.take([Piece("weight", "a", 0, values)], {})
    place = copy._buffer.data_ptr()
    values += 1
    copy.take([Piece("weight", "a", 0, values)], {})
    assert copy._buffer.data_ptr() == place
    copy.write(tmp_path / "a")
    assert load_file(tmp_path / "a")["weight/a@0"].tolist() == [1, 2, 3, 4]


@pytest.fixture
def cut(tmp_path):
    """A matrix 0, 1, …, 11 cut into runs of 5, 4 and 3, in two files."""
    whole = torch.arange(12.0)
    write(tmp_path / "a", [Piece("weight", "x@y/z", 0, whole[:5]), Piece("weight", "x@y/z", 9, whole[9:])], {"n": "1"})
    write(tmp_path / "b", [Piece("weight", "x@y/z", 5, whole[5:9])], {"n": "2"})
    return Pieces([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize(("start", "shape"), [(0, (3, 4)), (0, (12,)), (4, (2,)), (3, (7,)), (11, ()), (5, (2, 2))])
def test_any_other_cut_is_read(cut, start, shape):
    out = torch.full(shape, -1.0)
    cut.read("weight", "x@y/z", start, out)
    assert out.flatten().tolist() == list(range(start, start + out.numel()))
    assert [note["n"] for note in cut.notes] == ["1", "2"]


@pytest.mark.parametrize(("kind", "start", "lacking"), [("weight", 10, 2), ("exp_avg", 0, 4)])
def test_what_is_in_no_file_is_said(cut, kind, start, lacking):
    with pytest.raises(UserError, match=f"the checkpoint lacks {lacking} elements of {kind} x@y/z"):
        cut.read(kind, "x@y/z", start, torch.empty(4))
