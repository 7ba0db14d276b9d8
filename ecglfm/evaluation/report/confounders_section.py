"""What the report shows of `confounders`: what vectors and scores know of device, site and year, and what is left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ecglfm.config.wording import counted
from ecglfm.evaluation.confounders import TOGETHER
from ecglfm.evaluation.plots import data_uri
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.pages import environment
from ecglfm.evaluation.report.sections import Section
from ecglfm.provenance import read_json


def confounders_content(results: Path) -> str:
    """Tables and picture of `confounders.json`."""
    folder = results / "confounders"
    content = read_if_there(folder / "confounders.json", read_json) or {"encoders": [], "models": []}
    picture = read_if_there(folder / "confounders.png", Path.read_bytes)
    everyone = [*content["encoders"], *content["models"]]
    return environment().get_template("confounders.html.j2").render(
        encoders=content["encoders"],
        models=[model | {"asked": _asked(model)} for model in content["models"]],
        everyone=everyone,
        variables=_shown(everyone),
        told=list(dict.fromkeys(name for model in content["models"] for name in model["probes"])),
        missing={name: why for about in everyone for name, why in about["missing"].items()},
        notes=_notes(everyone),
        boot=everyone[0]["bootstrap"] if everyone else None,
        picture=None if picture is None else data_uri(picture),
    )  # fmt: skip


def _shown(everyone: Iterable[dict[str, Any]]) -> dict[str, bool]:
    """Variables that somebody was probed for; whether it is a quantity."""
    return {
        name: "r2" in found for about in everyone for name, found in about["probes"].items() if "reason" not in found
    }


def _asked(model: dict[str, Any]) -> list[str]:
    """Variables by which some label has strata, all together at the end."""
    labels = model["labels"].values()
    asked = {name: None for found in labels for name, one in found["within"].items() if "auroc" in one}
    return sorted(asked, key=lambda name: name == TOGETHER)


def _notes(everyone: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """By variable, what was left out of whose probe; once, where it is the same for all."""
    notes: dict[str, list[str]] = {}
    for about in everyone:
        whose = "/".join(about[key] for key in ("encoder", "task", "fit") if key in about)
        for name, found in about["probes"].items():
            left = found.get("left_out") or {}
            said = [found["reason"]] if "reason" in found else []
            if left and "reason" not in found:
                some = ", ".join(f"{key} ({counted(number, 'patient')})" for key, number in list(left.items())[:5])
                said.append(f"left out {some}" + (f" and {len(left) - 5} more" if len(left) > 5 else ""))
            notes.setdefault(name, []).extend(f"{whose}: {text}" for text in said)
    for name, own in notes.items():
        texts = {text.partition(": ")[2] for text in own}
        if len(texts) == 1 and len(own) == len(everyone):
            notes[name] = [*texts]
    return {name: own for name, own in notes.items() if own}


SECTION = Section("confounders", "Confounders", "confounders/confounders.json", confounders_content)
