"""Folders that were trained elsewhere: what they say of themselves, and that other bytes are another encoder."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ecglfm.config import PreprocessConfig, Project, UserError
from ecglfm.config.encoders.imported import check_preprocess, content_hash, read_description, remember, remembered
from tests.unit.config.projects import BASE

MODEL = {"kind": "conformer", "layers": 3, "dim": 24, "ffn_dim": 8, "heads": 2}


def folder_of(path: Path, weights: bytes = b"weights", **preprocess: object) -> Path:
    """An encoder's folder, as far as a plan reads it."""
    path.mkdir(parents=True, exist_ok=True)
    prepared = PreprocessConfig(**preprocess).model_dump(mode="json")
    content = {"format": "ecglfm-encoder", "model": MODEL, "preprocess": prepared, "leads": "passed over here"}
    (path / "encoder.json").write_text(json.dumps(content))
    (path / "encoder.safetensors").write_bytes(weights)
    return path


def project(repository: Path, tmp_path: Path, encoder: Path, **change: object) -> Project:
    define = {"encoders": {"theirs": {"weights": "import", "path": str(encoder)}}}
    content = BASE | {"encoders": ["theirs"], "define": define, "results": str(tmp_path / "results")}
    return Project(content | change, repository / "config", over=[("mine.yaml", {"define": define})])


def slice_of(found: Project) -> dict:
    return yaml.safe_load(found.slices()["pretrain/theirs"])


def test_the_folder_says_the_architecture(repository: Path, tmp_path: Path) -> None:
    found = project(repository, tmp_path, folder_of(tmp_path / "encoder"))
    model = found.encoder_slice("theirs").config.model
    assert (model.kind, model.layers, model.dim) == ("conformer", 3, 24)
    assert slice_of(found)["config"]["path"] == str(tmp_path / "encoder")


def test_another_file_is_another_encoder_whatever_its_date(repository: Path, tmp_path: Path) -> None:
    encoder = folder_of(tmp_path / "encoder")
    first = project(repository, tmp_path, encoder)
    weights, about = ((encoder / f"encoder.{end}").read_bytes() for end in ("safetensors", "json"))
    digests = [hashlib.sha256(part).digest() for part in (weights, about)]
    assert slice_of(first)["sha256"] == hashlib.sha256(b"".join(digests)).hexdigest()
    remember(first.config.results, first.imported)
    assert slice_of(project(repository, tmp_path, encoder)) == slice_of(first)
    old = (encoder / "encoder.safetensors").stat().st_mtime_ns - 10**15
    (encoder / "encoder.safetensors").write_bytes(b"others.")  # as long, and older than what was made of the first
    os.utime(encoder / "encoder.safetensors", ns=(old, old))
    assert slice_of(project(repository, tmp_path, encoder))["sha256"] != slice_of(first)["sha256"]


def test_an_encoder_that_is_put_away_starts_nothing_anew(tmp_path: Path) -> None:
    encoder = folder_of(tmp_path / "encoder")
    sha256 = content_hash(encoder, "encoder", {})
    remember(tmp_path / "results", {(str(encoder), "encoder"): sha256})
    (encoder / "encoder.safetensors").unlink()
    assert content_hash(encoder, "encoder", remembered(tmp_path / "results")) == sha256
    assert content_hash(encoder, "encoder", {}) is None
    (tmp_path / "results/config/imported.json").write_text("[]")
    assert remembered(tmp_path / "results") == {}
    kept = {"stamp": [], "sha256": "a", "said": {}}
    whole = {"/a": kept, "/b": None, "/c": kept | {"said": [1]}}  # edited by hand
    (tmp_path / "results/config/imported.json").write_text(json.dumps(whole))
    assert remembered(tmp_path / "results") == {"/a": kept}


def test_hashes_are_not_reckoned_twice(tmp_path: Path) -> None:
    encoder = folder_of(tmp_path / "encoder")
    remember(tmp_path / "results", {(str(encoder), "encoder"): "as it was"})
    assert content_hash(encoder, "encoder", remembered(tmp_path / "results")) == "as it was"


def test_what_a_plan_says_of_another_preprocessing(repository: Path, tmp_path: Path) -> None:
    """Before hours of preparing signals that the encoder does not read; what to write is YAML that mends it."""
    encoder = folder_of(tmp_path / "encoder", sampling_rate=250, leads=["I", "II"])
    with pytest.raises(UserError) as error:
        project(repository, tmp_path, encoder)
    message = str(error.value)
    assert message.startswith(f"mine.yaml: define.encoders.theirs: path: {encoder}: its ")
    assert "this project's is 500" in message
    mended = yaml.safe_load("{" + message.partition("write `")[2].partition("` into the config")[0] + "}")
    assert mended == {"preprocess": {"sampling_rate": 250, "leads": ["I", "II"]}}
    assert project(repository, tmp_path, encoder, **mended).encoders["theirs"].model.layers == 3
    check_preprocess(PreprocessConfig(quality={"flat_leads": {"limit": 7}}), PreprocessConfig(), "no matter")


def going_on(
    repository: Path, results: Path, path: Path | str, their_input: dict | None = None, **encoder: object
) -> Project:
    """A project in which `more` goes on with the weights in a folder, and `theirs` is pretrained."""
    pretrain = {"steps": 1}
    own = {"steps": 1} | ({"crop_seconds": their_input["window_seconds"]} if their_input else {})
    define = {"encoders": {
        "theirs": {"model": MODEL, "weights": "pretrain", "pretrain": own, "input": their_input},
        "more": {"model": MODEL, "weights": "import", "path": str(path), "pretrain": pretrain} | encoder,
    }}  # fmt: skip
    content = BASE | {"encoders": ["theirs", "more"], "define": define, "results": str(results)}
    return Project(content, repository / "config", over=[("mine.yaml", {"define": define})])


def test_a_training_that_goes_on_knows_the_folder_by_its_hash(repository: Path, tmp_path: Path) -> None:
    encoder = folder_of(tmp_path / "encoder")
    first = going_on(repository, tmp_path / "results", encoder)
    said = yaml.safe_load(first.slices()["pretrain/more"])
    assert said["sha256"] == content_hash(encoder, "encoder", {})
    assert said["config"]["pretrain"]["sources"] == ["demo-ptbxl"]
    folder_of(encoder, b"others.")
    assert yaml.safe_load(going_on(repository, tmp_path / "results", encoder).slices()["pretrain/more"]) != said


@pytest.mark.parametrize("pretrain", [{"steps": 1}, None], ids=["trained on", "as it is"])
def test_one_that_takes_an_encoder_of_its_project_does_not_change_when_that_is_made(
    repository: Path, tmp_path: Path, pretrain: dict | None
) -> None:
    """Else what was made in the first run, and all that stands on it, would be made anew in the second."""
    path = tmp_path / "results/pretrain/theirs"
    before = going_on(repository, tmp_path / "results", path, pretrain=pretrain).slices()["pretrain/more"]
    folder_of(path)
    assert going_on(repository, tmp_path / "results", path, pretrain=pretrain).slices()["pretrain/more"] == before
    assert "sha256" not in yaml.safe_load(before)


@pytest.mark.parametrize(
    "spelled", ["results/pretrain/theirs/", "./results/pretrain/theirs", "{}/results/pretrain/theirs"]
)
def test_it_waits_for_that_encoder_however_its_folder_is_spelled(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = (repository / "workflow/rules/common.smk").read_text()
    found = {"PROJECT": going_on(repository, Path("results"), spelled.format(tmp_path))}
    exec(re.search(r"^def get_imported.*?(?=^def)", source, re.M | re.S)[0], found)
    outputs = [f"<results>/pretrain/theirs/encoder.{ending}" for ending in ("safetensors", "json")]
    assert found["get_imported"](SimpleNamespace(encoder="more")) == outputs
    assert found["get_imported"](SimpleNamespace(encoder="theirs")) == []
    elsewhere = going_on(repository, Path("results"), folder_of(tmp_path / "elsewhere"))
    found["PROJECT"] = elsewhere
    assert found["get_imported"](SimpleNamespace(encoder="more"))[1] == f"{tmp_path}/elsewhere/encoder.json"


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        ("encoder", {"model": MODEL | {"dim": 32}}, r"more: path: \S+encoder: its dim is 24, this project's is 32;"),
        ("nowhere", {}, r"more: path: \S+nowhere holds no encoder\.json; give a folder that"),
        ("half", {}, r"more: path: \S+half holds no encoder\.safetensors; copy the whole folder"),
        ("results/pretrain/more", {}, r"more: path: \S+ is where it will lie itself; name the folder of another"),
    ],
)
def test_what_cannot_go_on_is_one_line_of_the_plan(
    repository: Path, tmp_path: Path, place: str, change: dict, message: str
) -> None:
    folder_of(tmp_path / "encoder")
    (folder_of(tmp_path / "half") / "encoder.safetensors").unlink()
    with pytest.raises(UserError, match=message):
        going_on(repository, tmp_path / "results", tmp_path / place, **change)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"there: \S+ holds no encoder\.json; give a folder that `pretrain` or `import-checkpoint` wrote"),
        ("{", r"there: \S+encoder\.json is not valid JSON"),
        ("[" * 10**5, r"there: \S+encoder\.json is not valid JSON"),
        ('{"format": "ecglfm-model"}', r"there: \S+encoder\.json is no encoder of ecglfm's"),
        ('{"format": "ecglfm-encoder", "model": {"kind": "mlp"}}', r"encoder\.json: model: kind 'mlp' is none of"),
    ],
)
def test_folders_that_are_no_encoder(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "encoder.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_description(tmp_path, "encoder", "there")


def test_a_model_is_told_from_an_encoder(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(UserError, match=r"holds no encoder\.json, but model\.json of another kind; give a folder"):
        read_description(tmp_path, "encoder", "there")


CONTRACT = {
    "leads": ["V1", "II"], "sampling_rate": 100, "window_seconds": 2, "unit": "standardised",
    "record": [{"step": "resample", "rate": 100, "method": "fourier"}], "window": [{"step": "standardize"}],
}  # fmt: skip


def with_contract(path: Path, **preprocess: object) -> Path:
    """`folder_of` an encoder with a contract."""
    about = folder_of(path, **preprocess) / "encoder.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"input": CONTRACT}))
    return path


def test_the_folder_says_the_contract_and_any_preparation_will_do(repository: Path, tmp_path: Path) -> None:
    encoder = with_contract(tmp_path / "encoder", sampling_rate=250, leads=["I", "II"])
    said = slice_of(project(repository, tmp_path, encoder))
    assert said["config"]["input"]["window"][0]["step"] == "standardize"
    assert said["preprocess"]["sampling_rate"] == 500
    assert (
        slice_of(project(repository, tmp_path, encoder, preprocess={"sampling_rate": 400}))["config"] == said["config"]
    )
    assert "input" not in slice_of(project(repository, tmp_path, folder_of(tmp_path / "plain")))["config"]


@pytest.mark.parametrize("told", [{}, {"model": MODEL}], ids=["the folder says it", "model: is told"])
def test_a_contract_stays_that_of_the_folder_where_that_is_put_away(
    repository: Path, tmp_path: Path, told: dict
) -> None:
    encoder = with_contract(tmp_path / "encoder")
    define = {"encoders": {"theirs": {"weights": "import", "path": str(encoder)} | told}}
    found = project(repository, tmp_path, encoder, define=define)
    remember(found.config.results, found.imported)
    encoder.rename(tmp_path / "away")
    for _ in range(2):  # what is known of it is not forgotten in the run after the next
        again = project(repository, tmp_path, encoder, define=define)
        remember(again.config.results, again.imported)
        assert slice_of(again) == slice_of(found)
    assert slice_of(again)["config"]["input"]["window"][0]["step"] == "standardize"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preprocess": {"leads": ["V2", "II"]}}, r"theirs: input\.leads: V1 is not in preprocess\.leads, nor"),
        (
            {"preprocess": {"notch": {"frequency": 50}}},
            r"preprocess\.notch: .*theirs: input begins with signals that no filter has seen",
        ),
        ({"finetune": {"augment": [{"kind": "noise"}]}}, r"finetune\.augment\.0: noise: changes millivolts, and"),
    ],
)
def test_a_contract_that_cannot_be_kept_is_one_line_of_the_plan(
    repository: Path, tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        project(repository, tmp_path, with_contract(tmp_path / "encoder"), **change)


def test_one_that_goes_on_with_an_encoder_of_its_project_has_its_contract(repository: Path, tmp_path: Path) -> None:
    """Before and after that is made: nothing is trained anew for it."""
    path, theirs = tmp_path / "results/pretrain/theirs", {"crop_seconds": 2.0}
    found = [going_on(repository, tmp_path / "results", path, their_input=CONTRACT, pretrain={"steps": 1} | theirs)]
    with_contract(path)
    found.append(going_on(repository, tmp_path / "results", path, their_input=CONTRACT, pretrain={"steps": 1} | theirs))
    before, after = (yaml.safe_load(one.slices()["pretrain/more"]) for one in found)
    assert before == after
    assert before["config"]["input"]["unit"] == "standardised"


@pytest.mark.parametrize(
    ("own", "said", "message"),
    [
        (
            CONTRACT,
            CONTRACT | {"window_seconds": 4},
            r"its input\.window_seconds is 2\.0, this project's is 4\.0; leave",
        ),
        (CONTRACT, None, r"its input is a section, this project's is null; leave `input` out, which the folder says"),
        (None, CONTRACT, r"its input is null, this project's is a section; leave `input` out"),
    ],
)
def test_another_contract_than_the_folders_is_one_line_of_the_plan(
    repository: Path, tmp_path: Path, own: dict | None, said: dict | None, message: str
) -> None:
    folder = (with_contract if own else folder_of)(tmp_path / "encoder")
    pretrain = {"steps": 1, "crop_seconds": (said or own)["window_seconds"]}
    with pytest.raises(UserError, match=message):
        going_on(repository, tmp_path / "results", folder, input=said, pretrain=pretrain)
