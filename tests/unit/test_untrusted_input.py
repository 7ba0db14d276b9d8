"""Files that make much of themselves: each is one sentence, from a process that could not hold what it asks for.

What else is refused stands beside its reader: `importers/test_hostile.py` (pickles), `test_hub.py` (safetensors),
`sources/test_muse_xml.py` (entities), `test_numpy_folder.py`, `test_code15.py`, `test_inside.py` (paths), `download/test_archives.py` (zips).
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from scipy.io import savemat

from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.bundle import save_model
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture
from tests.unit.sources.cardiosoft_file import cardiosoft, strip

#: Reads what it is given, with 300 MB more than it has taken for its imports.
READER = """
import json, resource, sys
from pathlib import Path
from ecglfm.config import SourceConfig, SourceSlice, UserError
from ecglfm.data.signals import preprocess, prepare
from ecglfm.models.bundle import load_model
from ecglfm.records import RecordError
from ecglfm.sources import open_source
from ecglfm.sources.arrays.opened import open_rows
from ecglfm.sources.files import read_record
from ecglfm.sources.inside import Root

read_array = open_source(SourceSlice(source="n", config=SourceConfig(
    kind="numpy_folder", root=".", table="table.csv", sampling_rate=500, unit="uV", file_leads=["I"]))).read
readers = {"record": lambda path: read_record(path).microvolts(), "array": read_array, "model": load_model,
           "row": lambda name: open_rows(Root("."), name).read(0)}
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
said = {}
for name, kind in json.loads(sys.argv[1]).items():
    try:
        said[name] = f"read: {type(readers[kind](name)).__name__}"
    except (UserError, RecordError) as error:
        said[name] = str(error)
print(json.dumps(said))
"""


def _sparse(path: Path, size: int) -> None:
    """A file of zeros that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(size)


def _wfdb(folder: Path, name: str, first: str, files: list[str], stored: str = "16") -> str:
    lines = [f"{file} {stored} 1000/mV 16 0 0 0 0 {lead}" for file, lead in zip(files, LEADS, strict=True)]
    (folder / f"{name}.hea").write_text("\n".join([f"{name} {first}", *lines]) + "\n")
    return name


def _hdf5(folder: Path, name: str, n: int, **how: Any) -> str:
    with h5py.File(folder / name, "w") as file:
        file.create_dataset("tracings", (n, 4096, 12), "f4", **how)
        file.create_dataset("exam_id", (n,), "i8", chunks=(1000,))
    return f"{name}#0"


def _xml(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(b"<RestingECG>" + content + b"</RestingECG>")
    return name


def _cardiosoft(folder: Path, name: str, **odd: str) -> str:
    (folder / name).write_bytes(cardiosoft(strip({"I": [1, 2, 3]}, **odd)))
    return name


def _model(folder: Path, name: str, *path: str | int, value: Any = None, weights: bytes | None = None) -> str:
    """A model whose description says something else at a path, or whose weights are something else."""
    torch.manual_seed(0)
    shape = architecture(kind="conformer", dim=16, layers=1, heads=2, ffn_dim=32, conv_channels=8)
    encoder = make_encoder(shape, list(LEADS), 500, PreprocessConfig(), 2.0)
    model = ECGModel(encoder, ["AF"], "full", "multilabel")
    model.thresholds = [0.5]
    save_model(folder / name, model.eval(), {})
    said = folder / name / "model.json"
    content = json.loads(said.read_text())
    inner: Any = content
    for key in path[:-1]:
        inner = inner[key]
    if path:
        inner[path[-1]] = value
    if path[-1:] == ("sampling_rate",):
        content["encoder"]["preprocess"]["sampling_rate"] = value
    said.write_text(json.dumps(content))
    if weights is not None:
        (folder / name / "model.safetensors").write_bytes(weights)
    return name


def _mat(folder: Path) -> str:
    savemat(folder / "bomb.mat", {"val": np.zeros((12, 400_000), np.int16)}, do_compression=True)
    assert (folder / "bomb.mat").stat().st_size < 100_000
    return _wfdb(folder, "bomb", "12 500 400000", ["bomb.mat"] * 12, "16+24")


def _npz(folder: Path) -> str:
    path, shape = folder / "bomb.npz", ((1 << 27) + 1, 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|i1", "fortran_order": False, "shape": shape})
        for _ in range(9):
            file.write(bytes(1 << 24))
    return path.name


def _long_row(folder: Path) -> str:
    with h5py.File(folder / "row.h5", "w") as file:
        file.create_dataset("ecg", (2, 12, 10**9), "f4", chunks=(1, 12, 1000))
    return "row.h5#ecg"


def _wide(folder: Path) -> str:
    _sparse(folder / "huge.dat", 24 * 10**9)
    return _wfdb(folder, "wide", "12 500 1000000000", ["huge.dat"] * 12)


def _folder_out_of(folder: Path) -> str:
    name = _model(folder, "outside")
    (folder / name / "model.safetensors").unlink()
    (folder / name / "model.safetensors").symlink_to("/etc/passwd")
    return name


def _long_json(folder: Path) -> str:
    name = _model(folder, "long")
    _sparse(folder / name / "model.json", 1 << 33)
    return name


TAGS, NAMES = b"<a/>" * 1_000_000, b" ".join(b'a%x=""' % k for k in range(200_000))
#: Kind of reader, what writes the file and gives its name, and a part of the sentence.
CASES: dict[str, tuple[str, Callable[[Path], str], str]] = {
    "WFDB of 24 GB": ("record", _wide, "signal_too_long: huge.dat: 1000000000 samples of a signal, at most 11184810"),
    "WFDB of any length": ("record", lambda f: _wfdb(f, "any", "12 500", ["huge.dat"] * 12), "signal_too_long"),
    "WFDB elsewhere": ("record", lambda f: _wfdb(f, "elsewhere", "12 500 10", ["../huge.dat"] * 12), "path_outside_root"),
    "MATLAB bomb": ("record", _mat, "signal_truncated: bomb.mat holds"),
    "XML of a million elements": ("record", lambda f: _xml(f, "tags.xml", TAGS), "tags.xml: more than 65536 elements"),
    "XML of many attributes": ("record", lambda f: _xml(f, "names.xml", b"<a " + NAMES + b"/>"),
                                    "names.xml: a tag or comment of more than 1048576 bytes"),
    "XML of a long text": ("record", lambda f: _xml(f, "text.xml", b"<a>" + b"QUJD" * 1_000_000 + b"</a>"),
                           "signal_missing: text.xml: 0 waveforms of type Rhythm"),
    "CardioSoft that states a billion samples": (
        "record", lambda f: _cardiosoft(f, "count.xml", count="999999999"), "count.xml: 3 samples of 1e+09 that are stated"),
    "CardioSoft of a number without end": (
        "record", lambda f: _cardiosoft(f, "digits.xml", divider="7" * 1_000_000), "digits.xml: lead I: holds a number of 1e+09"),
    "HDF5 of a billion exams": ("record", lambda f: _hdf5(f, "many.hdf5", 10**9, chunks=(1, 4096, 12)),
                                "many.hdf5: 1000000000 exams in one part"),
    "HDF5 of one chunk": ("record", lambda f: _hdf5(f, "chunk.hdf5", 10**4, chunks=(10**4, 4096, 12), compression="gzip"),
                          "chunk.hdf5: tracings has chunks of"),
    "HDF5 of a row of a billion samples": ("row", _long_row, "signal_too_long: row.h5: (2, 12, 1000000000) are more than"),
    "zip bomb": ("array", _npz, "signal_too_long: bomb.npz: (134217729, 1) are more than 134217728 samples"),
    "window of 30 years": ("model", lambda f: _model(f, "window", "encoder", "crop_seconds", value=1e9),
                           "windows of crop_seconds 1e+09 at 500 Hz are longer than 1048576 samples"),
    "rate of 1 GHz": ("model", lambda f: _model(f, "rate", "encoder", "sampling_rate", value=10**9),
                      "preprocess.sampling_rate: Input should be less than or equal to 20000"),
    "width": ("model", lambda f: _model(f, "width", "encoder", "model", "dim", value=10**12),
              "model: 1000000000000 is no width or kernel of a layer; at most 262144"),
    "kernel": ("model", lambda f: _model(f, "kernel", "encoder", "model", "conv_layers", value=[[10**18, 1]]),
               "model: 1000000000000000000 is no width or kernel"),
    "front end": ("model", lambda f: _model(f, "front", "encoder", "model", "conv_layers", value=[[3, 1]] * 10**5),
                  "describes 100001 layers, but only 53 weights"),
    "name of a label": ("model", lambda f: _model(f, "label", "label_names", 0, value="AF\x1b[2J"),
                        r"label_names: 'AF\x1b[2J' is no name of a label"),
    "JSON of 8 GB": ("model", _long_json, "model.json: longer than 16777216 bytes, which no description is"),
    "pickle": ("model", lambda f: _model(f, "pickle", weights=pickle.dumps({"weight": [0.0]})),
               "model.safetensors: not a readable safetensors file"),
    "header of 2^62 bytes": ("model", lambda f: _model(f, "header", weights=(1 << 62).to_bytes(8, "little") + b"{}"),
                             "model.safetensors: not a readable safetensors file"),
    "weights elsewhere": ("model", _folder_out_of, "model.safetensors: not a readable safetensors file"),
}  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each case."""
    folder = tmp_path_factory.mktemp("untrusted")
    (folder / "table.csv").write_text("path\nbomb.npz\n")
    names = {case: write(folder) for case, (_, write, _) in CASES.items()}
    asked = json.dumps({names[case]: kind for case, (kind, _, _) in CASES.items()})
    done = subprocess.run(
        [sys.executable, "-c", READER, asked], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    sentences = json.loads(done.stdout)
    return {case: sentences[name] for case, name in names.items()}


@pytest.mark.parametrize("case", CASES)
def test_what_asks_for_much_is_one_sentence(said: dict[str, str], case: str) -> None:
    assert CASES[case][2] in said[case]
    assert len(said[case]) < 400
