"""`model.safetensors` with `config.json`: read as a file or as a folder; damaged or lying ones are one line."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from ecglfm.cli import main
from ecglfm.config import UserError
from ecglfm.models.importers.checkpoint import read_checkpoint

pytestmark = pytest.mark.usefixtures("little_memory")
WEIGHTS = save({"w": torch.arange(6.0).view(2, 3), "half": torch.ones(2, dtype=torch.bfloat16)})


def written(folder: Path, weights: bytes = WEIGHTS, settings: bytes | None = b'{"hidden_size": 3}') -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    if settings is not None:
        (folder / "config.json").write_bytes(settings)
    return folder


def header(content: Any, data: bytes = b"") -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: list[int], end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


@pytest.mark.parametrize("form", ["", "model.safetensors"])
def test_a_folder_or_its_file(tmp_path: Path, form: str) -> None:
    found = read_checkpoint(written(tmp_path) / form)
    assert found.path == tmp_path / "model.safetensors"
    assert found.config == {"hidden_size": 3}
    assert found.state["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found.state["half"].dtype == torch.bfloat16


def test_without_settings_and_by_another_name(tmp_path: Path) -> None:
    folder = written(tmp_path, settings=None)
    (folder / "model.safetensors").rename(folder / "weights.pt")
    assert read_checkpoint(folder / "weights.pt").config == {}
    with pytest.raises(UserError, match=r"give the checkpoint's file, or a folder with model.safetensors and config"):
        read_checkpoint(folder)
    with pytest.raises(UserError, match=r"none.safetensors: no such file"):
        read_checkpoint(folder / "none.safetensors")


FILES = {
    "a header of 2^63": (struct.pack("<Q", 2**63) + b"{}", "its header would have 9,223,372,036,854,775,808 bytes"),
    "a header beyond the end": (WEIGHTS[:40], "bytes, and it has 40"),
    "seven bytes": (bytes(7), "its header would have"),
    "numbers cut off": (WEIGHTS[:-1], "not a readable safetensors file"),
    "a header of text": (header(b"{nothing"), "not a readable safetensors file"),
    "a header that is a list": (header([1]), "not a readable safetensors file"),
    "10^12 numbers": (header({"w": entry([10**6, 10**6], 4 * 10**12)}, bytes(16)), "not a readable safetensors file"),
    "more than its bytes": (header({"w": entry([10**6, 10**6], 16)}, bytes(16)), "not a readable safetensors file"),
    "2^64 numbers": (header({"w": entry([2**32, 2**32], 16)}, bytes(16)), "not a readable safetensors file"),
    "offsets backwards": (header({"w": entry([4], -16)}, bytes(16)), "not a readable safetensors file"),
    "the same bytes twice": (header({n: entry([4], 16) for n in "ab"}, bytes(16)), "not a readable safetensors file"),
    "numbers of an unknown kind": (header({"w": entry([4], 16, "Q7")}, bytes(16)), "not a readable safetensors file"),
    "a name with a line break": (header({"w\n\x1b": entry([4], 16)}, bytes(16)), r"no readable name: 'w\n\x1b'"),
    "no weights": (header({}), "no known method has weights named like"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", list(FILES))
def test_a_file_that_lies_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    content, message = FILES[name]
    assert message in refused(written(tmp_path / "in", content), tmp_path / "out", capsys)


SETTINGS = {
    "not JSON": (b"{", "config.json beside it is not valid JSON"),
    "not UTF-8": (b'"\xff"', "config.json beside it is not valid JSON"),
    "a list": (b"[1]", "config.json beside it holds no settings by name, but a list"),
    "a million brackets": (b"[" * 10**6, "config.json beside it is not valid JSON"),
    "two megabytes": (b" " * 2**21, "config.json beside it has 2,097,152 bytes, which no settings have"),
    "a number of 10^5 digits": (b'{"a": ' + b"9" * 10**5 + b"}", "config.json beside it is not valid JSON"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", list(SETTINGS))
def test_settings_that_are_none_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    content, message = SETTINGS[name]
    assert message in refused(written(tmp_path / "in", settings=content), tmp_path / "out", capsys)


def refused(folder: Path, output: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["import-checkpoint", str(folder), "--output", str(output)]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"ecglfm import-checkpoint: error: {folder}/model.safetensors: ")
    assert shown.count("\n") == 1
    assert shown[:-1].isprintable()
    assert len(shown) < 600
    assert not output.exists()
    return shown
