"""`discover.genotypes`: where they lie, and whose they are."""

from __future__ import annotations

from pydantic import Field

from ecglfm.config.base import Section


class GenotypesConfig(Section):
    """Genotype files."""

    ids: str | None = Field(
        None,
        description="CSV or TSV with columns `patient_id` and `IID`: whose samples are whose; null: the id of the "
        "sample is the patient's (`ukbiobank/1000001` or `1000001`)",
    )
