"""What an encoder's vectors give away: `verify`'s equal error rate, as a sentence for whoever would share them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecglfm.config.wording import counted
from ecglfm.provenance import read_json

_PAGE = "see docs/deidentify.md before sharing them"


def sharing_risk(metrics: Mapping[str, Any]) -> str:
    """How well vectors tell who somebody is.

    Parameters
    ----------
    metrics : mapping
        The content of `verify/{encoder}/{task}/metrics.json`.
    """
    eer, people = metrics["overall"]["eer"], metrics["n"]["patients_with_several"]
    who = f"{metrics['encoder']}'s vectors"
    if eer["value"] is None:
        return f"how well {who} tell people apart is not known ({eer['reason']}); {_PAGE}"
    interval = "" if eer["ci_low"] is None else f", 95 % interval {eer['ci_low']:.1%} to {eer['ci_high']:.1%}"
    if "confidence" in metrics.get("bootstrap", {}):
        interval = interval.replace("95 %", f"{100 * metrics['bootstrap']['confidence']:g} %")
    said = counted(people, "person", "people")
    return (
        f"{who} tell one person's recordings from two people's with an equal error rate of {eer['value']:.1%}"
        f"{interval}, 50 % being chance ({metrics['task']}, {said}): they are personal data; {_PAGE}"
    )


def sharing_risks(encoder: Path) -> list[str]:
    """The same of every verification of the encoder in `pretrain/{encoder}`; one that it was not measured, else."""
    folder = encoder if encoder.is_dir() else encoder.parent
    folder = folder.resolve()
    found = sorted((folder.parent.parent / "verify" / folder.name).glob("*/metrics.json"))
    if folder.parent.name != "pretrain" or not found:
        return [f"vectors may tell who somebody is, which `snakemake verify_all` measures; {_PAGE}"]
    return [sharing_risk(read_json(path)) for path in found]
