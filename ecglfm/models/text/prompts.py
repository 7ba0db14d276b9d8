"""A head made of words: recordings are compared with sentences for each label, and with what reports say on average.

Shapes: k labels, s sentences, d encoder width, w width of texts, p width of the common space.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import normalize, pad

from ecglfm.config import UserError
from ecglfm.models.heads import CosineHead, ECGModel
from ecglfm.models.text.alignment import read_alignment
from ecglfm.models.text.encoders import text_encoder


def say_labels(model: ECGModel, folder: Path, prompts: Sequence[Sequence[str]]) -> None:
    """Have a model answer by sentences.

    The logit of a label is (cosine with its sentences' mean direction - mean cosine with the training recordings'
    reports) / temperature: above 0 a recording is nearer to the sentences than to reports as they come.

    Parameters
    ----------
    model : ECGModel
        Of mode `zero_shot`; its head is changed.
    folder : path
        Of its encoder.
    prompts : sequence of sequence of str
        Sentences of each label, in the order of the model's.

    Raises
    ------
    UserError
        The encoder was not aligned with text, its text encoder is not what it was, or a sentence has no words.
    """
    assert isinstance(model.head, CosineHead)
    folder = folder if folder.is_dir() else folder.parent
    alignment, mean_p, about = read_alignment(folder, model.encoder.info)
    encoder = text_encoder(about["text_encoder"])
    if encoder.identity != about["identity"]:
        raise UserError(
            f"{about['text_encoder'] or 'the built-in text encoder'}: is not what {folder} was aligned with; bring that"
            " back, or pretrain the encoder again"
        )
    ecg_pd, text_pw = alignment.ecg.weight.double(), alignment.text.weight.double()
    means = []
    for label, sentences in zip(model.label_names, prompts, strict=True):
        vectors_sw = torch.from_numpy(encoder.encode(list(sentences))).double()
        if empty := [text for text, vector_w in zip(sentences, vectors_sw, strict=True) if not vector_w.any()]:
            raise UserError(
                f"prompts.{label}: {empty[0]!r} has no words that a text encoder could read; write a sentence"
            )
        means.append(normalize(vectors_sw @ text_pw.T, dim=-1).mean(0))
    prompts_kp = normalize(torch.stack(means), dim=-1)
    scale = 1 / alignment.temperature
    norm_pd = torch.linalg.qr(ecg_pd, mode="r").R
    with torch.no_grad():
        model.head.weight.copy_(scale * (prompts_kp - mean_p) @ ecg_pd)
        model.head.bias.zero_()
        model.head.norm.copy_(pad(norm_pd, (0, 0, 0, len(ecg_pd.T) - len(norm_pd))))
