"""What a user may say about a database, and the kinds of database there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from ecglfm.config.base import Section


@dataclass(frozen=True)
class Kind:
    """One kind of database.

    Attributes
    ----------
    adapter : str
        `module:class` of its `ecglfm.sources.base.Source`; a name only, so that Snakemake need not import it.
    tables : tuple of str
        Tables that its index is made from, relative to the root.
    options : tuple of str
        Keys of `SourceConfig` that only some kinds take, and this one does.
    """

    adapter: str
    tables: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


#: Every kind but `synthetic`, which writes a database of one of these. A new kind is one file and one line here.
KINDS: dict[str, Kind] = {
    "ptbxl": Kind("ecglfm.sources.ptbxl:PtbXl", ("ptbxl_database.csv", "scp_statements.csv"), ("rate",)),
    "mimic_iv_ecg": Kind("ecglfm.sources.mimic_iv_ecg:MimicIvEcg", ("record_list.csv", "machine_measurements.csv")),
}
_SYNTHETIC = ("layout", "patients", "records_per_patient", "seed")


class SourceConfig(Section):
    """One database (`config/sources/{source}.yaml`)."""

    kind: str = Field(
        description="which adapter of `ecglfm/sources/` reads it: " + ", ".join([*KINDS, "synthetic"]),
        json_schema_extra={"enum": [*KINDS, "synthetic"]},
    )
    root: str | None = Field(
        None, description="folder of the database; `roots:` in config.yaml overrides it; null for `synthetic`"
    )
    shards: int = Field(1, ge=1, description="number of jobs (and files) that ingest and preprocess are split into")
    rate: Literal[100, 500] = Field(500, description="`ptbxl` only: read records100/ or records500/ (Hz)")
    layout: Literal["ptbxl", "mimic_iv_ecg"] = Field("ptbxl", description="`synthetic` only: the file layout to write")
    patients: int = Field(200, ge=1, description="`synthetic` only: number of patients")
    records_per_patient: int = Field(2, ge=1, description="`synthetic` only: recordings of each patient")
    seed: int = Field(0, ge=0, description="`synthetic` only: seed of the generator")

    @property
    def native_kind(self) -> str:
        """The kind whose layout and label selectors apply (a synthetic database imitates one)."""
        return self.layout if self.kind == "synthetic" else self.kind

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables of the database, relative to its root."""
        return KINDS[self.native_kind].tables

    @model_validator(mode="after")
    def _keys_fit_kind(self) -> SourceConfig:
        if self.kind not in (*KINDS, "synthetic"):
            raise ValueError(f"`kind: {self.kind}` is not one of {', '.join([*KINDS, 'synthetic'])}")
        if self.kind != "synthetic" and not self.root:
            raise ValueError("`root` is missing: the folder that holds the database")
        takes = KINDS[self.native_kind].options + (_SYNTHETIC if self.kind == "synthetic" else ())
        optional = {*_SYNTHETIC, *(option for kind in KINDS.values() for option in kind.options)}
        defaults = type(self).model_fields
        for key in sorted(optional - set(takes)):
            if getattr(self, key) != defaults[key].default:
                raise ValueError(f"`{key}` is not a key of `kind: {self.kind}`; take it out")
        return self
