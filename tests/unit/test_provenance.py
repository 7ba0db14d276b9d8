"""How files are written: under a temporary name, and for whoever the user's umask lets read them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ecglfm.provenance import atomic, hash_fraction, write_text


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660), (0o077, 0o600)])
def test_every_output_follows_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with atomic(tmp_path / "w.safetensors") as temporary:
            save_file({"w": np.zeros(3)}, temporary)  # by itself it lets the owner alone read
        with atomic(tmp_path / "a.txt") as temporary:
            temporary.write_text("a")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in sorted(tmp_path.iterdir())] == [mode, mode]


def test_a_private_file_is_for_its_owner_alone_from_its_first_byte(tmp_path: Path) -> None:
    with atomic(tmp_path / "p.yaml", private=True) as temporary:
        assert temporary.stat().st_mode & 0o777 == 0o600
        temporary.write_text("uri: postgresql://me:secret@host/mlflow\n")
    assert (tmp_path / "p.yaml").stat().st_mode & 0o777 == 0o600
    write_text(tmp_path / "q.yaml", "x", private=True)
    assert (tmp_path / "q.yaml").stat().st_mode & 0o777 == 0o600


def test_hash_is_the_documented_one() -> None:
    digest = hashlib.sha256(b"7:ptbxl/15709").hexdigest()
    assert hash_fraction("ptbxl/15709", 7) == pytest.approx(int(digest[:16], 16) / 2**64, abs=1e-12)
