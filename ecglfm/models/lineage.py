"""What the weights of an encoder were before its last training: `continues` of `encoder.json`, one within the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecglfm.config.databases import DATABASES

#: What of an `encoder.json` an encoder that goes on with its weights says of itself.
_SHARED = ("format", "format_version", "model", "leads", "sampling_rate", "crop_seconds", "preprocess", "input")


def continued(info: Mapping[str, Any], sha256: str | None) -> dict[str, Any]:
    """What the `encoder.json` of a training says of the encoder that it began with, whose files have this SHA-256."""
    return {key: value for key, value in info.items() if key not in _SHARED} | {"sha256": sha256}


def lineage(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """An encoder and all that its weights were before, the newest first."""
    before = info.get("continues")
    return [info, *(lineage(before) if isinstance(before, dict) else [])]


def pretrained_on(info: Mapping[str, Any]) -> list[str]:
    """Published databases that makers of a foreign checkpoint in the lineage pretrained it on, each once."""
    facts = [one.get("imported") or {} for one in lineage(info)]
    return list(dict.fromkeys(name for fact in facts for name in fact.get("pretrained_on", ()) if name in DATABASES))


def licences(info: Mapping[str, Any]) -> list[str]:
    """What may be done with foreign weights in the lineage, as their makers say, each once."""
    facts = [one.get("imported") or {} for one in lineage(info)]
    return list(dict.fromkeys(str(fact["licence"]) for fact in facts if fact.get("licence")))


def told_before(info: Mapping[str, Any]) -> str | None:
    """What a training began with, in words; None: with new weights."""
    told = [_told(one) for one in lineage(info)[1:]]
    return ", which began with ".join(told) or None


def _told(info: Mapping[str, Any]) -> str:
    facts = info.get("imported") or {}
    on = [DATABASES[name].title for name in facts.get("pretrained_on", ()) if name in DATABASES]
    on += (info.get("training") or {}).get("sources") or []
    about = [
        *([str(facts["origin"])] if "origin" in facts else [f"weights: {info.get('weights')}"]),
        *([f"licence {facts['licence']}"] if facts.get("licence") else []),
        *([f"trained on {', '.join(on)}"] if on else []),
        *([f"SHA-256 {str(info['sha256'])[:12]}"] if info.get("sha256") else []),
    ]
    return f"{info.get('name')} ({'; '.join(about)})"
