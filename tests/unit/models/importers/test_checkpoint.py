"""Checkpoints that are damaged or lie about themselves: one line, and no memory for what they claim."""

import io
import os
import struct
import tarfile

import pytest
import torch

from ecglfm.config import UserError
from ecglfm.models.importers.checkpoint import read_checkpoint
from tests.unit.models.importers.hostile import archive, model, tensor

pytestmark = pytest.mark.usefixtures("little_memory")


@pytest.mark.timeout(60)
def test_weights_that_share_their_numbers_are_not_multiplied(tmp_path):
    big = torch.zeros(5_000_000)
    torch.save({"model": {f"w{index}": big for index in range(1000)}}, tmp_path / "a.pt")  # 20 GB out of 20 MB
    with pytest.raises(UserError, match=r"its weights would take 20,000,000,000 bytes, but the file has only 20,0"):
        read_checkpoint(tmp_path / "a.pt")
    ends = big.as_strided((2,), (4_999_999,))
    torch.save({"model": {f"w{index}": ends for index in range(1000)}}, tmp_path / "a.pt")
    assert sum(value.sum().item() for value in read_checkpoint(tmp_path / "a.pt").state.values()) == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_other_files(tmp_path):
    with tarfile.open(tmp_path / "tar.pt", "w") as tar:  # the form before PyTorch 0.1.10
        tar.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())
    with pytest.raises(UserError, match="not a readable PyTorch checkpoint"):
        read_checkpoint(tmp_path / "tar.pt")
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(UserError, match="is a folder or a device"):
        read_checkpoint(tmp_path / "pipe.pt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "script.pt")
    with pytest.raises(UserError, match="its zip entries are compressed"):
        read_checkpoint(tmp_path / "script.pt")


@pytest.mark.parametrize(
    ("field", "value"), [(6, 1), (20, 2**31), (24, 2**31), (42, 2**31)], ids=["encrypted", "packed", "size", "place"]
)
def test_a_zip_directory_that_lies(tmp_path, field, value):
    """Fields of the central directory: flags, sizes and the place of the first entry."""
    path = archive(tmp_path / "a.pt", model(tensor(b"K\x04\x85", b"K\x01\x85")), **{"0": bytes(16)})
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    struct.pack_into("<H" if field == 6 else "<I", content, entry + field + 2 * (field == 6), value)
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path}: not a readable PyTorch checkpoint"):
        read_checkpoint(path)
