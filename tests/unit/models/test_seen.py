"""What travels with a model: fingerprints, and which data they are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ecglfm.models.seen import FILE, fingerprints, known_among, read_seen, write_seen


def test_fingerprints_are_the_first_eight_bytes_in_order() -> None:
    found = fingerprints(["ff" * 32, "00000000000000ff" + "ab" * 24, "01" + "00" * 31])
    assert found.dtype == np.uint64
    assert found.tolist() == [255, 2**56, 2**64 - 1]
    assert fingerprints([]).tolist() == []


def test_which_recordings_are_known_in_their_own_order() -> None:
    prints = fingerprints(["ff" * 32, "01" + "00" * 31])
    assert known_among(["01" + "00" * 31, "02" + "00" * 31, "ff" * 32], prints).tolist() == [True, False, True]
    assert known_among([], prints).tolist() == []


def test_what_is_written_is_read(tmp_path: Path) -> None:
    parts = {"pretraining": ("h1", fingerprints(["ff" * 32])), "finetuning": ("h2", fingerprints([]))}
    write_seen(tmp_path, parts)
    read = read_seen(tmp_path)
    assert {name: (of, found.tolist()) for name, (of, found) in read.items()} == {
        "pretraining": ("h1", [2**64 - 1]), "finetuning": ("h2", []),
    }  # fmt: skip
    before = (tmp_path / FILE).read_bytes()
    write_seen(tmp_path, parts)
    assert (tmp_path / FILE).read_bytes() == before


def test_nothing_is_known_of_what_is_not_ours(tmp_path: Path) -> None:
    assert read_seen(tmp_path) == {}
    (tmp_path / FILE).write_bytes(b"\xff" * 100)
    assert read_seen(tmp_path) == {}
    save_file({"pretraining": fingerprints([])}, tmp_path / FILE, metadata={"data_hash": "[" * 10**5})
    assert read_seen(tmp_path) == {}
