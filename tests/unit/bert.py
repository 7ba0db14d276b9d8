"""A text encoder of Hugging Face's architecture and own code, with random weights and a handful of words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

WORDS = ["sinus", "rhythm", "atrial", "fibrillation", "normal", "ecg"]
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_bert(folder: Path, words: Sequence[str] = WORDS) -> Path:
    """A folder as `save_pretrained` writes it: two layers of width 16, 8 positions, weights and a tokenizer of words."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(_SPECIAL) + len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=8,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return write_tokenizer(folder, words)


def write_tokenizer(folder: Path, words: Sequence[str]) -> Path:
    """A tokenizer that knows so many words, into the folder."""
    from transformers import BertTokenizer

    (folder / "words.txt").write_text("\n".join([*_SPECIAL, *words]))
    BertTokenizer(str(folder / "words.txt")).save_pretrained(folder)
    return folder
