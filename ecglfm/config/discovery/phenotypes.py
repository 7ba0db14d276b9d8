"""`discover.biomarkers`: what features mean in the ECG."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ecglfm.config.base import Section


class BiomarkersConfig(Section):
    """EDFs against what a cardiologist reads off an ECG."""

    measurements: Literal["machine", "own"] = Field(
        "machine",
        description="`machine`: intervals and axes that the electrocardiograph measured, where a database has them "
        "(MIMIC-IV-ECG, CardioSoft, MUSE), else measured here; `own`: all measured here. Voltages and ST are always "
        "measured here; the table says of every record whose they are",
    )
    people: int | None = Field(
        None, ge=100, description="most people who are looked at, drawn blindly by their ids; null: all"
    )
