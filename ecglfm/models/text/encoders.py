"""Texts to vectors of length 1: built in, from nothing but the letters; or any text encoder of Hugging Face's, offline.

A folder is not trusted: weights are read as safetensors alone, and no code of it runs.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from ecglfm.config import UserError
from ecglfm.extras import need
from ecglfm.provenance import sha256_file, sha256_json
from ecglfm.records import normalized

_BATCH = 64  # texts at once
_TOKENS = 512  # of a text; reports have a tenth of it
_FAILURES = (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError, RuntimeError, SafetensorError)
_READ = {".json", ".model", ".safetensors", ".txt"}  # files of weights, settings and vocabularies


class TextEncoder(ABC):
    """What turns texts into vectors.

    Attributes
    ----------
    dim : int
        Their width.
    """

    dim: int

    @property
    @abstractmethod
    def identity(self) -> str:
        """Changes whenever the vectors might."""

    @abstractmethod
    def encode(self, texts: Sequence[str], device: torch.device | None = None) -> np.ndarray:
        """Vectors of texts, float32 (texts, dim), each of length 1; a text counts as `normalized` has it."""


class HashedText(TextEncoder):
    """Words, pairs of words and runs of three letters, each a fixed random direction; their sum is the text.

    The direction of one is the bits of its BLAKE2b hash, as signs: feature hashing and a random projection at once
    (Weinberger et al. 2009, arXiv:0902.2206; Achlioptas 2003, doi:10.1016/S0022-0000(03)00025-4). It knows spelling and
    no meaning: neither synonyms nor another language, nor what "no" does to the words behind it.
    """

    dim = 512

    @property
    def identity(self) -> str:
        """Of this file."""
        return "hashed-1"

    def encode(self, texts: Sequence[str], device: torch.device | None = None) -> np.ndarray:
        """See `TextEncoder.encode`; always on the processor."""
        del device
        return np.stack([self._vector(normalized(text)) for text in texts]).astype(np.float32)

    def _vector(self, text: str) -> np.ndarray:
        words = re.findall(r"\w+", text)
        letters = [f" {word} "[place : place + 3] for word in words for place in range(len(word))]
        total = np.zeros(self.dim)
        for kind, pieces in (("word", words), ("pair", [" ".join(two) for two in pairwise(words)]), ("abc", letters)):
            counts = Counter(pieces)
            if counts:  # each kind weighs the same; a second mention less than the first
                weights = np.sqrt(list(counts.values()))
                total += weights @ np.stack([_signs(f"{kind}:{piece}") for piece in counts]) / np.linalg.norm(weights)
        return total / max(float(np.linalg.norm(total)), 1e-12)


@lru_cache(maxsize=1 << 16)
def _signs(piece: str) -> np.ndarray:
    """512 numbers of 1 or -1."""
    bits = np.unpackbits(np.frombuffer(hashlib.blake2b(piece.encode()).digest(), np.uint8))
    return 2.0 * bits - 1


class HuggingFaceText(TextEncoder):
    """A folder as `save_pretrained` writes it, of a model and its tokenizer: mean over the tokens of the last layer.

    Parameters
    ----------
    folder : path
        `config.json`, `model.safetensors` and the tokenizer's files.

    Raises
    ------
    UserError
        It is no such folder, its weights are not safetensors, or it asks for code of its own.
    """

    def __init__(self, folder: Path) -> None:
        need("transformers", extra="huggingface", what="pretrain.objective.text_encoder")
        self.folder = folder
        self._loaded: tuple[Any, Any] | None = None
        self.dim = _checked_width(folder)

    @property
    def identity(self) -> str:
        """SHA-256 of the files that are read."""
        names = sorted(path.name for path in self.folder.iterdir() if path.suffix in _READ)
        return sha256_json({name: sha256_file(self.folder / name) for name in names})

    def encode(self, texts: Sequence[str], device: torch.device | None = None) -> np.ndarray:
        """See `TextEncoder.encode`.

        Raises
        ------
        UserError
            transformers cannot open the folder, or it is no encoder of texts.
        """
        try:
            tokenizer, model = self._load()
            model = model.to(device or torch.device("cpu"))
            found = [part for first in range(0, len(texts), _BATCH)
                     for part in self._batch(tokenizer, model, texts[first : first + _BATCH])]  # fmt: skip
        except _FAILURES as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{self.folder}: no text encoder that transformers can use offline ({reason})") from None
        return np.stack(found)

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import AutoModel, AutoTokenizer

            safe = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(self.folder, **safe)
            model = AutoModel.from_pretrained(self.folder, use_safetensors=True, dtype=torch.float32, **safe)
            if model.config.is_encoder_decoder:
                model = model.get_encoder()
            self._loaded = tokenizer, model.eval().requires_grad_(False)
        return self._loaded

    def _batch(self, tokenizer: Any, model: Any, texts: Sequence[str]) -> Iterator[np.ndarray]:
        positions = getattr(model.config, "max_position_embeddings", _TOKENS)
        longest = min(_TOKENS, tokenizer.model_max_length, positions)
        tokens = tokenizer(
            list(map(normalized, texts)), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        ).to(model.device)
        with torch.no_grad():
            frames_btd = model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])[0].float()
        real_bt1 = tokens["attention_mask"][..., None].to(frames_btd)
        mean_bd = (frames_btd * real_bt1).sum(1) / real_bt1.sum(1).clamp(min=1)
        yield from torch.nn.functional.normalize(mean_bd, dim=-1).cpu().numpy()


def _checked_width(folder: Path) -> int:
    """Width of its vectors; raises `UserError` as `HuggingFaceText`."""
    where = f"pretrain.objective.text_encoder: {folder}"
    if not (folder / "config.json").is_file():
        raise UserError(
            f"{where}: holds no config.json; give a folder that `save_pretrained` wrote, no name of the hub"
        )
    if not any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json")):
        raise UserError(
            f"{where}: holds no model.safetensors; other files of weights may run code when they are opened, and are"
            " not read: write it anew with `save_pretrained`"
        )
    if not any(path for pattern in ("tokenizer.json", "vocab*", "*.model") for path in folder.glob(pattern)):
        raise UserError(f"{where}: holds no tokenizer, without which every word is unknown; bring its files, too")
    if (folder / "adapter_config.json").is_file():
        raise UserError(f"{where}: holds an adapter of another model; merge them and write the whole model")
    for name in ("config.json", "tokenizer_config.json"):
        try:
            content = json.loads((folder / name).read_text(encoding="utf-8")) if (folder / name).is_file() else {}
        except (ValueError, RecursionError):
            raise UserError(f"{where}: {name} is not valid JSON") from None
        if not isinstance(content, dict) or content.get("auto_map"):
            raise UserError(
                f"{where}: {name} asks for code of its own (auto_map), which is not run; take another model"
            )
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return int(config.hidden_size)
    except _FAILURES as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{where}: no text encoder that this transformers knows ({reason})") from None


def text_encoder(folder: str | None) -> TextEncoder:
    """Hugging Face's in a folder, or the built-in one for None; raises as `HuggingFaceText`."""
    return HashedText() if folder is None else HuggingFaceText(Path(folder))
