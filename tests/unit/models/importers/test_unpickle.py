"""A checkpoint that would run code is refused by name and nothing runs; a genuine one gives PyTorch's own tensors."""

import argparse
import base64
import io
import os
import pickle
import subprocess
import zipfile

import pytest
import torch

from ecglfm.config import UserError
from ecglfm.models.importers.checkpoint import read_checkpoint
from ecglfm.models.importers.unpickle import Unpickler


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def attacks(marker):
    """Name of the global, and the object whose loading makes `marker`."""
    return {
        "posix.system": Call(os.system, f"touch {marker}"),
        "builtins.eval": Call(eval, f"open({str(marker)!r}, 'w').close()"),
        "builtins.exec": Call(exec, f"open({str(marker)!r}, 'w').close()"),
        "subprocess.call": Call(subprocess.call, ["touch", str(marker)]),
        f"{open.__module__}.open": Call(open, str(marker), "w"),
    }


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", ["model", "cfg", "last_optimizer_state"])
@pytest.mark.parametrize("name", list(attacks("")))
def test_code_is_refused_by_name_and_does_not_run(tmp_path, name, place, legacy):
    marker, path = tmp_path / "marker", tmp_path / "evil.pt"
    content = {"model": {"w": torch.ones(2)}, "cfg": {}, "last_optimizer_state": {}}
    content[place]["x"] = attacks(marker)[name]
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match=f"^{path}: would run {name}, .*nothing ran$"):
        read_checkpoint(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # so that was a real attack


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"(S'touch %s'\nios\nsystem\n.", "would run os.system"),
        (b"(cos\nsystem\nS'touch %s'\no.", "would run os.system"),
        (b"cbuiltins\ngetattr\n(cargparse\nNamespace\nS'x'\ntR.", "would run builtins.getattr"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x15OrderedDict.__class__\x93.", "collections.OrderedDict.__class__"),
        (b"\x80\x04\x8c\x08fairseq_\x8c\x06system\x93.", "would run fairseq_.system"),
        (b"\x80\x04\x8c\x09omegaconf\x8c\x08os.syst.\x93.", "would run omegaconf.os.syst."),
        (b"cargparse\nNamespace\n}S'__call__'\ncposix\nsystem\nsb.", "would run posix.system"),
    ],
)
def test_other_ways_to_a_global(tmp_path, program, message):
    program = program.replace(b"%s", str(tmp_path / "marker").encode())
    with pytest.raises(UserError) as error:
        Unpickler(io.BytesIO(program)).load()
    assert message in str(error.value)
    assert not (tmp_path / "marker").exists()


def test_a_stand_in_is_the_only_thing_that_is_ever_called():
    for program in (
        b"S'abc'\n(tR.",
        b"(I1\nI2\nl(tR.",
        b"\x80\x02}U\x01a\x81.",
        b"cargparse\nNamespace\n(tRS'a'\n\x81.",
    ):
        with pytest.raises(pickle.UnpicklingError):
            Unpickler(io.BytesIO(program)).load()
    # A state meant for a class of ours stays data: the class is as before, and the next load as well.
    Unpickler(io.BytesIO(b"cargparse\nNamespace\n}S'args'\nI1\nsb.")).load()
    made = Unpickler(io.BytesIO(b"cargparse\nNamespace\n(t\x81.")).load()
    assert (made.name, made.args, made.state) == ("argparse.Namespace", (), None)


def test_a_number_in_the_file_allocates_nothing(tmp_path):
    path = tmp_path / "memo.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}r\xff\xff\xff\xff.")  # C's unpickler would take 64 GB here
    with pytest.raises(UserError, match="with weights in it"):
        read_checkpoint(path)
    torch.save({"model": {"w": torch.zeros(1).expand(10**13)}}, path)
    with pytest.raises(UserError, match=r"would take 40,000,000,000,000 bytes, but the file has only"):
        read_checkpoint(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_are_those_that_pytorch_reads(tmp_path, legacy):
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(6, 7, 5, generator=generator)
    state = {
        "whole": base,
        "view": base[2:5, 1:, 3],
        "transposed": base.permute(2, 0, 1),
        "parameter": torch.nn.Parameter(base.clone()),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 4),
        "half": base.half(),
        "bfloat16": base.bfloat16(),
        "double": base.double(),
        "bool": base > 0,
        **{str(kind): (base * 50).to(kind) for kind in (torch.uint8, torch.int8, torch.int16, torch.int32)},
    }
    torch.save({"model": state, "cfg": None}, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    found = read_checkpoint(tmp_path / "a.pt").state
    assert found.keys() == state.keys()
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


def test_a_genuine_omegaconf_is_read_without_omegaconf(request, tmp_path):
    # OmegaConf 2.4.0, torch 2.13: torch.save({"cfg": OmegaConf.create({"model": OmegaConf.structured(M()), "lr":
    # [5e-4], "name": "a"}), "model": {"w": torch.arange(6.).view(2, 3)}, "optimizer_history": [{"num_updates": 7}],
    # "extra_state": {"best": numpy.float64(0.5)}}, "omegaconf.pt"), M a dataclass of fairseq_signals.models.
    golden = request.path.parent / "omegaconf.pt.base64"
    (tmp_path / "a.pt").write_bytes(base64.b64decode(golden.read_text()))
    checkpoint = read_checkpoint(tmp_path / "a.pt")
    model = {"_name": "w2vbert", "encoder_layers": 24, "dropout": 0.1, "flag": True, "leads": None}
    assert checkpoint.config == {"model": model | {"latent_temp": [2.0, 0.1]}, "lr": [5e-4], "name": "a"}
    assert checkpoint.state["w"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert checkpoint.updates == 7


def test_settings_of_a_namespace(tmp_path):
    args = argparse.Namespace(arch="w2vbert", inner=argparse.Namespace(layers=[1, 2]), hidden=(1.5, None))
    args.itself = args
    torch.save({"model": {"w": torch.ones(1)}, "args": args}, tmp_path / "a.pt")
    config = read_checkpoint(tmp_path / "a.pt").config
    assert (config["arch"], config["inner"], config["hidden"]) == ("w2vbert", {"layers": [1, 2]}, [1.5, None])


def test_what_is_no_checkpoint(tmp_path):
    good = tmp_path / "good.pt"
    torch.save({"model": {"w": torch.arange(100.0)}}, good)
    whole = good.read_bytes()
    with zipfile.ZipFile(good) as source:
        members = {info.filename: source.read(info) for info in source.infolist()}

    def rewritten(change, **options):
        with zipfile.ZipFile(tmp_path / "bad.pt", "w", **options) as archive:
            for name, data in change.items():
                archive.writestr(name, data)
        return tmp_path / "bad.pt"

    def written(data):
        (tmp_path / "bad.pt").write_bytes(data)
        return tmp_path / "bad.pt"

    cases = [
        (lambda: tmp_path / "none.pt", "no such file"),
        (lambda: tmp_path, "is a folder"),
        (lambda: written(b""), "not a readable PyTorch checkpoint"),
        (lambda: written(b"garbage" * 100), "not a readable PyTorch checkpoint"),
        (lambda: written(pickle.dumps({"model": 1})), "not a readable PyTorch checkpoint"),
        (lambda: written(whole[:-300]), "not a readable PyTorch checkpoint"),
        (lambda: rewritten({"a/b.txt": b"x"}), "without data.pkl"),
        (lambda: rewritten(members, compression=zipfile.ZIP_DEFLATED), "compressed"),
        (lambda: rewritten(members | {"good/byteorder": b"big"}), "big-endian"),
        (lambda: rewritten(members | {"good/data/0": b"1234"}), "storage '0' ends early"),
        (lambda: rewritten({n: d for n, d in members.items() if not n.endswith("data/0")}), "not a readable"),
        (lambda: rewritten(members | {"good/data.pkl": members["good/data.pkl"][:12]}), "not a readable"),
    ]
    for make, message in cases:
        path = make()
        with pytest.raises(UserError) as error:
            read_checkpoint(path)
        assert str(error.value).startswith(f"{path}: "), message
        assert message in str(error.value)
    for content in ({"state_dict": {}}, [1], {"model": {}}, {"model": {"a": 1}}):
        torch.save(content, tmp_path / "other.pt")
        with pytest.raises(UserError, match="with weights in it"):
            read_checkpoint(tmp_path / "other.pt")
