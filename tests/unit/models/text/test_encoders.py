"""Texts to vectors: the built-in one by hand, a folder of Hugging Face's by its own code, and folders that are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ecglfm.config import UserError
from ecglfm.models.text import text_encoder
from ecglfm.models.text.encoders import HashedText, HuggingFaceText
from tests.unit.bert import WORDS, write_bert, write_tokenizer


def direction(piece: str) -> np.ndarray:
    """Signs by the bits of the hash, the first bit of a byte its largest."""
    digest = hashlib.blake2b(piece.encode(), digest_size=64).digest()
    return np.array([1.0 if byte >> bit & 1 else -1.0 for byte in digest for bit in range(7, -1, -1)])


def test_the_built_in_vector_by_hand() -> None:
    """`af, AF no`: af twice, so its weight is the root of 2; of its pairs and letters likewise."""
    words = np.sqrt(2) * direction("word:af") + direction("word:no")
    pairs = direction("pair:af af") + direction("pair:af no")
    letters = np.sqrt(2) * (direction("abc: af") + direction("abc:af ")) + direction("abc: no") + direction("abc:no ")
    expected = words / np.sqrt(3) + pairs / np.sqrt(2) + letters / np.sqrt(6)
    (vector,) = HashedText().encode(["af, AF  no"])
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


def test_texts_that_share_words_lie_near_each_other_and_others_do_not() -> None:
    texts = ["Atrial fibrillation", "atrial fibrillation; abnormal ECG", "atrial flutter", "left bundle branch block"]
    one, same, half, other = HashedText().encode(texts)
    assert one @ same > 0.6 > one @ half > 0.2
    assert abs(one @ other) < 0.15
    assert np.linalg.norm(HashedText().encode(["", "12"]), axis=1).tolist() == pytest.approx([0, 1])


@pytest.fixture(autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "huggingface"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


@pytest.mark.pinned_torch
def test_a_folder_gives_the_mean_over_its_tokens(bert: Path) -> None:
    """One text at a time and without padding, as its own code has it; long ones are cut where its positions end."""
    from transformers import AutoModel, AutoTokenizer

    texts = ["Atrial fibrillation", "sinus rhythm normal ECG", "normal " * 20]
    encoder = text_encoder(str(bert))
    assert encoder.dim == 16
    found = encoder.encode(texts)
    model, tokenizer = AutoModel.from_pretrained(bert).eval(), AutoTokenizer.from_pretrained(bert)
    for text, vector in zip(texts, found, strict=True):
        tokens = tokenizer(text.lower(), return_tensors="pt", truncation=True, max_length=8)
        with torch.no_grad():
            mean = model(**tokens)[0][0].mean(0)
        np.testing.assert_allclose(vector, (mean / mean.norm()).numpy(), atol=1e-6)
    assert tokenizer("atrial fibrillation")["input_ids"] == [2, 7, 8, 3]


@pytest.mark.pinned_torch
def test_what_is_known_of_a_folder_changes_with_its_files(bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bert, tmp_path / "copy")
    assert HuggingFaceText(copy).identity == HuggingFaceText(bert).identity
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    assert HuggingFaceText(copy).identity != HuggingFaceText(bert).identity


PLANTED = "import pathlib\npathlib.Path({place!r}).touch()\n"


@pytest.mark.pinned_torch
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("pickle", r"holds no model\.safetensors; other files of weights may run code"),
        ("code", r"config\.json asks for code of its own \(auto_map\), which is not run"),
        ("tokenizer code", r"tokenizer_config\.json asks for code of its own"),
        ("no tokenizer", "holds no tokenizer, without which every word is unknown"),
        ("adapter", "holds an adapter of another model"),
        ("name of the hub", r"holds no config\.json; give a folder that `save_pretrained` wrote"),
        ("garbled", r"config\.json is not valid JSON"),
        ("nested", r"config\.json is not valid JSON"),
        ("unknown kind", "no text encoder that this transformers knows"),
    ],
)
def test_a_folder_that_could_run_code_is_refused_and_runs_none(
    bert: Path, tmp_path: Path, change: str, message: str
) -> None:
    folder, ran = shutil.copytree(bert, tmp_path / "folder"), tmp_path / "ran"
    config = json.loads((folder / "config.json").read_text())
    (folder / "evil.py").write_text(PLANTED.format(place=str(ran)))
    if change == "pickle":
        (folder / "model.safetensors").unlink()
        torch.save({"embeddings.word_embeddings.weight": torch.zeros(11, 16)}, folder / "pytorch_model.bin")
    elif change == "code":
        auto = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
        (folder / "config.json").write_text(json.dumps(config | {"auto_map": auto, "model_type": "evil"}))
    elif change == "tokenizer code":
        (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.T", None]}}))
    elif change == "no tokenizer":  # transformers makes an empty one
        (folder / "tokenizer.json").unlink()
    elif change == "adapter":
        (folder / "adapter_config.json").write_text("{}")
    elif change == "name of the hub":
        folder = Path("bert-base-uncased")
    elif change == "garbled":
        (folder / "config.json").write_text("{")
    elif change == "nested":
        (folder / "config.json").write_text("[" * 10**5)
    elif change == "unknown kind":
        (folder / "config.json").write_text(json.dumps({"model_type": "evil"}))
    with pytest.raises(UserError, match=message) as error:
        text_encoder(str(folder))
    assert "\n" not in str(error.value)
    assert not ran.exists()


@pytest.mark.pinned_torch
def test_a_pickle_beside_safetensors_is_not_opened(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "folder")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    assert np.array_equal(text_encoder(str(folder)).encode(["sinus"]), text_encoder(str(bert)).encode(["sinus"]))


@pytest.mark.pinned_torch
def test_weights_that_do_not_fit_are_one_line(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "folder")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="no text encoder that transformers can use offline") as error:
        text_encoder(str(folder)).encode(["sinus rhythm"])
    assert "\n" not in str(error.value)


@pytest.mark.pinned_torch
def test_a_tokenizer_of_more_words_than_the_weights_have_is_one_line(bert: Path, tmp_path: Path) -> None:
    folder = write_tokenizer(shutil.copytree(bert, tmp_path / "folder"), [*WORDS, "flutter"])
    assert text_encoder(str(folder)).encode(["sinus"]).shape == (1, 16)
    with pytest.raises(UserError, match=r"no text encoder that transformers can use offline \(index out of range"):
        text_encoder(str(folder)).encode(["atrial flutter"])
