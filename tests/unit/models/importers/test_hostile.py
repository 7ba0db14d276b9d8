"""Files made to run code, to fill the memory or to hang: one clear line each, in a process that may take little memory."""

import pickle
import struct

import pytest
import torch

from ecglfm.cli import main
from ecglfm.config import UserError
from ecglfm.models.importers import convert
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.unpickle import plain
from tests.unit.models.importers.hostile import STORAGE, archive, model, tensor

pytestmark = pytest.mark.usefixtures("little_memory")


def legacy(path, program):
    path.write_bytes(b"".join(pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})) + program)  # fmt: skip
    return path


def nested(depth):
    """Pickle of a tuple that holds itself 2^depth times: t = (t, t)."""
    return b"(t" + b"q\x00h\x00\x86" * depth


BIG = b"\x8a\x09" + (2**70).to_bytes(9, "little")
PROGRAMS = {
    "object by OBJ": (b"\x80\x02(ccollections\nOrderedDict\no.", "an opcode that PyTorch never writes"),
    "object by INST": (b"(icollections\nOrderedDict\n.", "an opcode that PyTorch never writes"),
    "object by NEWOBJ_EX": (b"\x80\x04cargparse\nNamespace\n)}\x92.", "an opcode that PyTorch never writes"),
    "extension": (b"\x80\x02\x82\x01.", "an opcode that PyTorch never writes"),
    "a buffer of 2^40": (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".", "an opcode that PyTorch never writes"),
    "text of 2^60": (b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b".", "not a readable PyTorch checkpoint"),
    "bytes of 2^40": (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".", "not a readable PyTorch checkpoint"),
    "frame of 2^60": (b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b".", "not a readable PyTorch checkpoint"),
    "persistent id by name": (b"Pstorage\n.", "not a readable PyTorch checkpoint"),
    "persistent id of another kind": (b"(X\x01\x00\x00\x00atQ.", "not a readable PyTorch checkpoint"),
    "persistent id of 2^60 parts": (nested(60) + b"Q.", "not a readable PyTorch checkpoint"),
    "storage named by 2^60 parts": (
        STORAGE.replace(b"X\x01\x00\x00\x000", nested(60)) + b".", "an unknown kind of storage",
    ),
    "key of 2^60 parts": (b"\x80\x02}" + nested(60) + b"Ns.", "a tuple as the key of a dict"),
    "keys of 2^60 parts": (b"\x80\x02}(" + nested(60) + b"Nu.", "a tuple as the key of a dict"),
    "dict of such keys": (b"\x80\x02(" + nested(60) + b"Nd.", "a tuple as the key of a dict"),
    "ordered dict of such keys": (
        b"\x80\x02ccollections\nOrderedDict\n(](" + nested(60) + b"N\x86etR.", "a tuple as the key of a dict",
    ),
    "set of such": (b"\x80\x04\x8f(" + nested(60) + b"\x90.", "an opcode that PyTorch never writes"),
    "a weight that is no tensor": (model(b"]"), "with weights in it"),
    "state for a function": (
        model(b"ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb"), "with weights in it",
    ),
    "item of a function": (b"ctorch._utils\n_rebuild_tensor_v2\nX\x01\x00\x00\x00aK\x01s.", "not a readable"),
    "line breaks in a global": (b"\x80\x04\x8c\x04os\n\x1b\x8c\x06system\x93.", r"would run 'os\n\x1b.system', which"),
    "line breaks in a weight's name": (
        model(tensor(b"K\x04\x85", b"K\x01\x85"), b"X\x03\x00\x00\x00w\n\x1b"), r"has no readable name: 'w\n\x1b'",
    ),
    "10^18 elements": (model(tensor(b"\x8a\x08" + (10**18).to_bytes(8, "little") + b"\x85", b"K\x00\x85")), "would take"),
    "an element 2^70 away": (model(tensor(b"K\x02\x85", BIG + b"\x85")), "reaches beyond its storage"),
    "offset of 2^70": (model(tensor(b"K\x02\x85", b"K\x01\x85", BIG)), "reaches beyond its storage"),
    "negative stride": (model(tensor(b"K\x02\x85", b"J\xff\xff\xff\xff\x85")), "reaches beyond its storage"),
    "negative size": (model(tensor(b"J\xff\xff\xff\xff\x85", b"K\x01\x85")), "reaches beyond its storage"),
    "no elements, 2^70 by 0": (model(tensor(BIG + b"K\x00\x86", b"K\x01K\x01\x86")), "not a readable"),
    "100,000 dimensions": (model(tensor(b"(" + b"K\x02" * 10**5 + b"t", b"(" + b"K\x00" * 10**5 + b"t")), "dimensions"),
    "fewer strides": (model(tensor(b"K\x02K\x02\x86", b"K\x01\x85")), "a tensor of 2 dimensions and 1 strides"),
    "shape of text": (model(tensor(b"X\x01\x00\x00\x00x", b"X\x01\x00\x00\x00x")), "not a readable"),
    "ends early": (model(tensor(b"K\x04\x85", b"K\x01\x85"))[:18], "not a readable"),
}  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", [archive, legacy])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_a_hostile_pickle_is_one_line(tmp_path, capsys, name, form):
    program, message = PROGRAMS[name]
    path = form(tmp_path / "evil.pt", program, **({"0": bytes(16)} if form is archive else {}))
    if form is legacy:
        keys = ["0"] if STORAGE in program else []
        path.write_bytes(path.read_bytes() + pickle.dumps(keys, 2) + len(keys) * (struct.pack("<q", 4) + bytes(16)))
    assert main(["import-checkpoint", str(path), "--output", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"ecglfm import-checkpoint: error: {path}: ")
    assert shown.count("\n") == 1
    assert shown[:-1].isprintable()
    assert len(shown) < 600
    assert message in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.timeout(60)
def test_settings_that_hold_one_another_are_not_multiplied():
    value = []
    for _ in range(60):
        value = [value, value]
    with pytest.raises(UserError, match="its settings hold more than 100,000 values"):
        plain(value)
    loop = {"a": 1}
    loop["itself"] = loop
    assert plain(loop) == {"a": 1, "itself": None}


CLASSIFIER = {
    "proj.weight": torch.ones(3, 16),
    "encoder.encoder.layers.0.self_attn.linear_pos.weight": torch.ones(4, 4),
    "encoder.encoder.layers.0.self_attn.pos_bias_u": torch.ones(2, 8),
    "encoder.encoder.layers.0.ffn1.w_1.weight": torch.ones(24, 16),
    "encoder.encoder.layers.0.conv_module.depthwise_conv.weight": torch.ones(16, 1, 5),
    "encoder.feature_extractor.conv_layers.0.0.weight": torch.ones(16, 12, 2),
}
ODD = "not as this method writes them"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("state", "config", "message"),
    [
        ({"encoder.encoder.layers.99999999999.x": torch.ones(1)}, {}, "a weight's name has number 99999999999"),
        ({f"encoder.encoder.layers.{'9' * 5000}.x": torch.ones(1)}, {}, ODD),
        ({"encoder.encoder.layers.0.self_attn.pos_bias_u": torch.ones(3)}, {}, ODD),
        ({}, {"task": {"sample_rate": "fast"}}, ODD),
        ({}, {"model": {"dropout": [1]}}, ODD),
        ({}, {"model": {"conv_feature_layers": "[(16, 2, 0)]"}}, "a size is 0"),
        ({}, {"task": {"leads_to_load": "9" * 5000}}, ODD),
    ],
)
def test_sizes_and_settings_that_make_no_sense(state, config, message):
    settings = {"task": {}, **config, "model": {"conv_feature_layers": "[(16, 2, 2)]"} | config.get("model", {})}
    with pytest.raises(UserError, match=message) as error:
        convert(Checkpoint("a.pt", settings, CLASSIFIER | state))
    assert "\n" not in str(error.value)


BLOCK = "stage_list.0.block_list.0."
NET1D = {
    "first_conv.conv.weight": torch.ones(8, 12, 4),
    BLOCK + "conv2.conv.weight": torch.ones(8, 4, 4),
    BLOCK + "conv3.conv.weight": torch.ones(8, 8, 1),
    BLOCK + "se_fc1.weight": torch.ones(4, 8),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("state", "head"), [(CLASSIFIER, "proj"), (NET1D, "dense")])
def test_a_classifier_of_a_billion_rows_of_nothing_takes_no_memory(state, head):
    settings = {"model": {"conv_feature_layers": "[(16, 2, 2)]"}}
    state = state | {f"{head}.weight": torch.ones(10**9, 0), f"{head}.bias": torch.ones(3)}
    with pytest.raises(UserError, match=rf"missing|{head}.weight' has shape \(1000000000, 0\)"):
        convert(Checkpoint("a.pt", settings, state))
