"""Which encoders know words, and so in which modes a fit of them is made."""

from __future__ import annotations

from pathlib import Path

from ecglfm.config.encoders import EncoderConfig

#: Beside an encoder that was aligned with text.
ALIGNMENT = "alignment.safetensors"


def is_aligned(encoder: EncoderConfig) -> bool:
    """Whether an encoder's recordings can be compared with texts: by its own pretraining, or as it is imported."""
    if encoder.pretrain is not None:
        return encoder.pretrain.objective.aligns
    return encoder.import_path is not None and Path(encoder.import_path, ALIGNMENT).is_file()


def modes_of(encoder: EncoderConfig, lender: EncoderConfig | None = None) -> list[str]:
    """Modes of `finetune` that there are for an encoder; `lender` makes its weights, perhaps only later."""
    return [mode for mode in encoder.model.modes if mode != "zero_shot" or is_aligned(lender or encoder)]


def unfitted(encoder: EncoderConfig) -> str:
    """Why there is no fit of an encoder, and what to do, before whose `finetune.modes` that is."""
    kind = f"`kind: {encoder.model.kind}`"
    if not encoder.model.weighted:
        return f"{kind} has no weights to train, only a head on it: add linear to"
    if not encoder.model.linears:
        return f"{kind} has no Linear, which lora needs, and knows no words, which zero_shot needs: add full to"
    return (
        "not aligned with text, which zero_shot needs: write `pretrain.objective: {kind: report_alignment}`, or add"
        " full to"
    )
