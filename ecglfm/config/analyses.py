"""What a user may say about analyses that are targets of their own: `lead_sets`."""

from __future__ import annotations

from pydantic import Field, field_validator

from ecglfm.config.base import Name, Section
from ecglfm.config.signals import LEADS

#: Six, three and two are those of the Challenge 2021 (Reyna et al., doi:10.23919/CinC53138.2021.9662687).
_SETS = {
    "8-leads": ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"],
    "6-leads": ["I", "II", "III", "aVR", "aVL", "aVF"],
    "3-leads": ["I", "II", "V2"],
    "2-leads": ["I", "II"],
    "1-lead": ["I"],
}


class LeadSetsConfig(Section):
    """Models that are told fewer leads than they were fitted on."""

    sets: dict[Name, list[str]] = Field(
        _SETS,
        min_length=1,
        description="`snakemake lead_sets`: name of a set: its leads; the others are zero, as masked leads are in "
        "pretraining. All leads always stand beside them, and need no entry",
    )

    @field_validator("sets")
    @classmethod
    def _each_lead_once(cls, sets: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, leads in sets.items():
            unknown = [lead for lead in leads if lead not in LEADS]
            if unknown or not leads or len(set(leads)) < len(leads):
                raise ValueError(f"{name}: one lead or more, each once, out of {' '.join(LEADS)}; found {leads}")
        return sets
