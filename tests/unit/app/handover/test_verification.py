"""`verify-bundle` believes nothing of a file that came from somebody."""

from __future__ import annotations

import hashlib
import json
import random
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from ecglfm.cli import main

#: Brackets without end, and noise that keeps it from being a bomb.
DEEP = b"[" * 200_000 + b'"' + random.Random(0).randbytes(20_000).hex().encode()
Change = Callable[[dict[str, bytes]], None]


def rewritten(bundle: Path, target: Path, change: Change, *, sums: bool = True) -> Path:
    """A bundle with other files, whose sums agree unless they are not to."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    if sums and "SHA256SUMS" in files:
        listed = [(name, content) for name, content in files.items() if name != "SHA256SUMS"]
        files["SHA256SUMS"] = "".join(f"{hashlib.sha256(c).hexdigest()}  {name}\n" for name, c in listed).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["verify-bundle", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"ecglfm verify-bundle: error: {path}: ")
    assert error.count("\n") == 1
    return error.removeprefix(f"ecglfm verify-bundle: error: {path}: ").rstrip()


def test_a_whole_one(bundle: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["verify-bundle", str(bundle)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{bundle}: whole, 8 files: LICENSE, README.md, SHA256SUMS, bundle.json, card.html, ")
    assert lines[1] == "labels: AF, LBBB"
    assert lines[2].startswith("largest difference from the Python pipeline on the test vector: windows 0.0e+00 mV, ")


def edited(key: str, value: object) -> Change:
    def change(files: dict[str, bytes]) -> None:
        about = json.loads(files["bundle.json"])
        place = about
        *way, last = key.split(".")
        for part in way:
            place = place[part]
        place[last] = value
        files["bundle.json"] = json.dumps(about).encode()

    return change


def other_answer(files: dict[str, bytes]) -> None:
    example = json.loads(files["example.json"])
    example["outputs"][1] += 0.001
    files["example.json"] = json.dumps(example).encode()


def weights_from(place: str) -> Change:
    def change(files: dict[str, bytes]) -> None:
        model = onnx.load_from_string(files["preprocess.onnx"])
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)
        files["preprocess.onnx"] = model.SerializeToString()

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files.update({"../evil.txt": b"x"}), "holds '../evil.txt', which no bundle has: not unpacked"),
        (lambda files: files.update({"/etc/x": b"x"}), "holds '/etc/x', which no bundle has: not unpacked"),
        (lambda files: files.update({"model.pkl": b"x"}), "holds 'model.pkl', which no bundle has: not unpacked"),
        (lambda files: files.update({"card.html": bytes(1 << 24)}), "card.html would have 16,777,216 bytes, from "),
        (lambda files: files.update({"LICENSE": random.Random(0).randbytes(1 << 21)}), "LICENSE would have 2,097,152"),
        (lambda files: files.pop("model.onnx"), "no bundle: model.onnx lacking"),
        (lambda files: files.update({"bundle.json": b"{"}), "bundle.json: not valid JSON"),
        (lambda files: files.update({"bundle.json": DEEP}), "bundle.json: not valid JSON: its brackets"),
        (lambda files: files.update({"example.json": b'{"signal": [[1], [1, 2]]}'}), "example.json: no test vector"),
        (edited("format", "else"), "bundle.json: format: Input should be 'ecglfm-bundle'"),
        (edited("model.aggregate", "save"), "bundle.json: model.aggregate: Input should be 'mean', 'max' or 'median'"),
        (edited("model.aggregate", "mean"), "the graphs differ from the Python pipeline on the test vector"),
        (other_answer, "outputs by 1.0e-03, 0.0001 allowed"),
        (
            lambda files: files.update({"model.onnx": b"no graph"}),
            "model.onnx: not an ONNX graph of this bundle: Unable to parse",
        ),
        (lambda files: files.update({"model.onnx": files["preprocess.onnx"]}), "its graphs cannot be run: "),
        (weights_from("/etc/passwd"), "preprocess.onnx: not an ONNX graph of this bundle: Location of external"),
        (weights_from("../../etc/passwd"), "preprocess.onnx: not an ONNX graph of this bundle: "),
    ],
)
def test_what_is_wrong_is_said(
    bundle: Path, tmp_path: Path, change: Change, message: str, capsys: pytest.CaptureFixture[str]
):
    assert message in refused(rewritten(bundle, tmp_path / "b.zip", change), capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]


def test_a_file_that_was_exchanged(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = rewritten(bundle, tmp_path / "b.zip", lambda files: files.update({"card.html": b"better"}), sums=False)
    assert refused(path, capsys) == "card.html is not the file of SHA256SUMS: the bundle was damaged, or changed"


def test_a_file_twice_a_link_and_no_zip_at_all(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    twice = rewritten(bundle, tmp_path / "b.zip", lambda files: None)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("README.md", "another")
    assert refused(twice, capsys) == "holds 'README.md' twice: not unpacked"
    link = rewritten(bundle, tmp_path / "l.zip", lambda files: files.pop("card.html") and None)
    entry = zipfile.ZipInfo("card.html")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(link, "a") as archive:
        archive.writestr(entry, "/etc/passwd")  # is unpacked as a file that holds these words
    assert refused(link, capsys) == "card.html is not the file of SHA256SUMS: the bundle was damaged, or changed"
    (tmp_path / "n.zip").write_bytes(b"no zip")
    assert refused(tmp_path / "n.zip", capsys).startswith("not a readable zip file (")
    cut = tmp_path / "c.zip"
    cut.write_bytes(bundle.read_bytes()[:-2000])
    assert refused(cut, capsys).startswith("not a readable zip file (")
    assert refused(tmp_path / "none.zip", capsys) == "no such file"
