"""A head made of words: its logits are cosines in the common space, be that narrower than the encoder or wider."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.text import Alignment, say_labels, write_alignment
from ecglfm.models.text.encoders import HashedText
from tests.unit.architectures import small

HASHES = {"config_hash": "c", "data_hash": "d"}
SENTENCES = [["atrial fibrillation", "afib"], ["sinus rhythm"]]


def model_of(folder: Path, dim: int, text_encoder: str | None = None) -> tuple[ECGModel, Alignment, torch.Tensor]:
    torch.manual_seed(dim)
    encoder = make_encoder(small("conformer"), LEADS, 500, PreprocessConfig(), 5.0)
    encoder.info = HASHES
    alignment, mean = Alignment(encoder.dim, 512, dim, temperature=0.2), torch.randn(dim) / 3
    about = {"text_encoder": text_encoder, "identity": HashedText().identity, **HASHES}
    write_alignment(folder, alignment.state_dict(), mean, about)
    return ECGModel(encoder, ["AF", "SR"], "zero_shot"), alignment, mean


@pytest.mark.parametrize("dim", [3, 40])
def test_logits_are_cosines_in_the_common_space(tmp_path: Path, dim: int) -> None:
    model, alignment, mean = model_of(tmp_path, dim)
    assert (dim < model.encoder.dim) == (dim == 3)
    say_labels(model, tmp_path / "encoder.safetensors" if dim == 3 else tmp_path, SENTENCES)
    vectors = torch.randn(5, model.encoder.dim)
    with torch.no_grad():
        z = normalize(vectors @ alignment.ecg.weight.T, dim=1)
        expected = []
        for sentences in SENTENCES:
            texts = torch.from_numpy(HashedText().encode(sentences)) @ alignment.text.weight.T
            p = normalize(normalize(texts, dim=1).mean(0), dim=0)
            expected.append((z @ p - z @ mean) / 0.2)
        torch.testing.assert_close(model.head(vectors), torch.stack(expected, 1), atol=2e-5, rtol=1e-4)
    assert not model.head.bias.any()


def test_a_sentence_without_words_is_refused(tmp_path: Path) -> None:
    """Its vector is 0, and so would be every logit's part of it."""
    model, *_ = model_of(tmp_path, 3)
    with pytest.raises(UserError, match=r"prompts\.SR: '\.\.\.' has no words that a text encoder could read"):
        say_labels(model, tmp_path, [["atrial fibrillation"], ["sinus rhythm", "..."]])


def test_another_text_encoder_than_it_was_aligned_with_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, *_ = model_of(tmp_path, 3)
    monkeypatch.setattr(HashedText, "identity", "hashed-2")
    with pytest.raises(UserError, match="the built-in text encoder: is not what .* was aligned with; bring that back"):
        say_labels(model, tmp_path, SENTENCES)
    model, *_ = model_of(tmp_path, 3, text_encoder=str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"gone: holds no config\.json"):
        say_labels(model, tmp_path, SENTENCES)
