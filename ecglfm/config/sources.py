"""What a user may say about a database."""

from __future__ import annotations

from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ecglfm.config.base import Name, Section, Seed
from ecglfm.config.databases import check_known
from ecglfm.config.source_kinds import KINDS
from ecglfm.config.text import at_home

#: Keys that came later: where they are not given, slices from before there were such keys stay what they are.
_SYNTHETIC = ("layout", "patients", "records_per_patient", "seed", "difficulty")

ChallengeDatabase = Literal[
    "chapman_shaoxing", "cpsc_2018", "cpsc_2018_extra", "georgia", "ningbo", "ptb", "ptb-xl", "st_petersburg_incart"
]
Institution = Literal["I0001", "I0006"]
StandardLead = Literal["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
#: What a row of a user's own `table` may say about a recording.
TableColumn = Literal["path", "record_id", "patient_id", "age", "sex", "fold", "report"]


def _takers(option: str) -> str:
    """Kinds that take an option, as descriptions name them."""
    return ", ".join(f"`{name}`" for name, kind in KINDS.items() if option in kind.options)


def _needers(option: str) -> str:
    """Those of them that cannot do without it."""
    return ", ".join(f"`{name}`" for name, kind in KINDS.items() if option in kind.required)


class DownloadConfig(Section):
    """Where `snakemake download` fetches a database from."""

    url: str | None = Field(
        None,
        description="a folder with SHA256SUMS.txt (a mirror, or any database of PhysioNet's), a record of Zenodo's"
        " API, or an article or a collection of figshare's (https://api.figshare.com/v2/articles/NUMBER); null: the"
        " kind's public home",
    )
    only: list[str] = Field(
        [],
        description="shell patterns of the paths to fetch, beside the tables (`*` crosses folders);"
        " empty: what the source reads",
    )

    @field_validator("url")
    @classmethod
    def _url_is_one_without_password(cls, url: str | None) -> str | None:
        if url is not None and "@" in url.partition("//")[2].partition("/")[0]:
            raise ValueError(
                "a password in `url` would be in the results: put it into ~/.netrc (docs/config/data.md#download)"
            )
        try:
            urlsplit(url or "")
        except ValueError as error:
            raise ValueError(f"{url!r} is no URL: {error}") from None
        return url


class PatientIds(Section):
    """What the ids of patients are taken for."""

    LATER = frozenset({"of"})

    normalise: Literal["as_written", "text", "number"] | None = Field(
        None,
        description="spellings that are one patient: none (`as_written`), those that differ in case, spaces, dashes or "
        "Unicode (`text`), also 7, 007 and 7.0 (`number`); null: as written, with a warning where that matters",
    )
    unknown: list[str] = Field(
        [], description="ids that stand for nobody, e.g. ['00000000']; empty cells, `nan`, `None`, `-1` and the like do"
    )
    largest_share: float = Field(
        0.2, gt=0, le=1, description="share of the records, if over 100, that one patient may have; more is an error"
    )
    of: Name | None = Field(
        None,
        description="source whose patients they are, where both hold recordings of the same people under the same ids;"
        " null: nobody has recordings in another source",
    )


class SourceConfig(Section):
    """One database (`config/sources/{source}.yaml`)."""

    LATER = frozenset({"array", "axes", "ids", "institutions", "people", "visits", "exclude_patients"})

    kind: str = Field(
        description="which adapter of `ecglfm/sources/` reads it: " + ", ".join([*KINDS, "synthetic"]),
        json_schema_extra={"enum": [*KINDS, "synthetic"]},
    )
    root: str | None = Field(
        None, description="folder of the database; `roots:` in config.yaml overrides it; null for `synthetic`"
    )
    licence: str | None = Field(
        None,
        min_length=1,
        exclude=True,  # no slice but that of the cards has it: it changes no number
        description="what may be done with its recordings, e.g. CC BY 4.0; cards say it; null: they say it is unknown",
    )
    holds: list[str] = Field(
        [],
        exclude=True,  # the audit alone reads it: no index is made anew
        description="published databases that the files come from, where `kind` does not say it, e.g. [qtdb]: the audit"
        " then names what is known to be in another source, too; names are in `ecglfm/config/databases.py`",
    )
    shards: int = Field(1, ge=1, description="number of jobs (and files) that ingest and preprocess are split into")
    rate: Literal[100, 500] = Field(500, description=f"{_takers('rate')} only: read records100/ or records500/ (Hz)")
    databases: list[ChallengeDatabase] = Field(
        [], description=f"{_takers('databases')} only: folders of training/ to take; empty: all that are there"
    )
    institutions: list[Institution] = Field(
        [],
        description=f"{_takers('institutions')} only: hospitals to take, I0001 (Massachusetts General) or I0006"
        " (Emory); empty: both",
    )
    table: str | None = Field(
        None,
        description=f"{_takers('table')}: a CSV with a row per recording, relative to the root (needed by"
        f" {_needers('table')}); null: every recording there",
    )
    people: str | None = Field(
        None,
        description=f"{_takers('people')}: path of a CSV with a row per person, which says age and sex by the id of the"
        " file names; null: what the files say",
    )
    columns: dict[TableColumn, str] = Field(
        {},
        description="with `table` or `people`: our name of a column and the CSV's; default: the same names. With"
        " `people`, `{instance}` in that of `age` is the recording's: `p21003_i{instance}`",
    )
    visits: Literal["first", "all"] = Field(
        "all",
        description=f"{_takers('visits')}: of each person whom UK Biobank's file names tell; `first`: the recording of"
        " the lowest instance, then array",
    )
    sampling_rate: float | None = Field(
        None, gt=0, description=f"{_takers('sampling_rate')} only: samples per second (Hz)"
    )
    leads: dict[str, StandardLead] = Field(
        {},
        description=f"{_takers('leads')}: a lead's name in the files and the standard lead that it is, e.g. "
        "{C1: V1, C2: V2}",
    )
    file_leads: list[str] = Field(
        [],
        description=f"{_takers('file_leads')}: leads in the order of the files, e.g. [I, II], in place of the names in"
        f" them (needed by {_needers('file_leads')}); empty: the files'",
    )
    unit: Literal["mV", "uV", "V"] = Field("mV", description=f"{_takers('unit')} only: what the arrays count in")
    array: str | None = Field(
        None,
        description=f"{_takers('array')} only: file with all recordings, relative to the root, and behind a `#` what"
        " the array is called in there: `ecg.npy`, `ecg.h5#ecg`, `ecg.parquet#signal`, `ecg.zarr#ecg`",
    )
    axes: list[Literal["record", "lead", "sample"]] = Field(
        [],
        description=f"{_takers('axes')} only: what its dimensions are, [record, lead, sample] or [record, sample,"
        " lead]",
    )
    ids: str | None = Field(
        None,
        description=f"{_takers('ids')} only: name, in the same file, of an id per recording (for a `.npy`: name of"
        " another one), which `path` of the table then means; null: `path` is the row of the array, from 0",
    )
    links: Literal["inside", "follow"] | list[str] = Field(
        "inside",
        description="where symbolic links in the root may lead: `inside` it; `follow`: anywhere; or a list of folders "
        "(absolute paths) beside it. A path in a table or a header never leaves the root",
    )
    checks: Literal["strict", "stated", "off"] = Field(
        "stated",
        description=f"{_takers('checks')}: what WFDB first samples and checksums are held against."
        " `stated`: the header's, where it states any (0 in all signals is none); `strict`: it must state them;"
        " `off`: nothing",
    )
    patient_id: PatientIds = Field(PatientIds(), description="how ids of patients are taken")
    exclude_patients: str | None = Field(
        None,
        description="path of a file with an id a line: patients, such as those who withdrew, of whom nothing is"
        " indexed, read or kept; an id added to it makes everything anew that the patient was in",
    )
    download: DownloadConfig = Field(DownloadConfig(), description="for `snakemake download`")
    layout: Literal["ptbxl", "mimic_iv_ecg"] = Field("ptbxl", description="`synthetic` only: the file layout to write")
    patients: Annotated[int, Field(ge=1)] | str = Field(
        200,
        description=f"`synthetic`: number of patients; {_takers('patients')}: path of PTB-XL's `ptbxl_database.csv`,"
        " which says whose the records HRnnnnn are (a patient of the project's source of `kind: ptbxl`)",
    )
    records_per_patient: int = Field(2, ge=1, description="`synthetic` only: recordings of each patient")
    seed: Seed = Field(0, description="`synthetic` only: seed of the generator")
    difficulty: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="`synthetic` only: 0, a patient has one condition, in all recordings and plain to see; 1, they come"
        " and go, are slight or have mimics, recordings are noisy and readers err (docs/demo.md)",
    )

    @property
    def n_patients(self) -> int:
        """Patients of a synthetic database."""
        assert isinstance(self.patients, int)  # the config says so
        return self.patients

    @property
    def native_kind(self) -> str:
        """The kind whose layout and label selectors apply (a synthetic database imitates one)."""
        return self.layout if self.kind == "synthetic" else self.kind

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables of the database, relative to its root."""
        own = KINDS[self.native_kind].tables
        places = self.institutions or get_args(Institution)
        if any("{institution}" in name for name in own):
            own = tuple(name.format(institution=place) for place in places for name in own)
        return own + ((self.table,) if self.table else ())

    @property
    def own_files(self) -> tuple[str, ...]:
        """Paths of files beside the database that decide what is in its index."""
        of_patients = self.patients if isinstance(self.patients, str) else None
        return tuple(path for path in (of_patients, self.people, self.exclude_patients) if path)

    @property
    def download_url(self) -> str | None:
        """Where `download` fetches it from; None where nobody publishes it."""
        return self.download.url or (None if self.kind == "synthetic" else KINDS[self.kind].home)

    @property
    def download_patterns(self) -> list[str]:
        """Patterns of the files that `download` fetches beside the tables; empty: all of them."""
        if self.download.only:
            return self.download.only
        return [f"records{self.rate}/*"] if self.kind == "ptbxl" else [f"training/{name}/*" for name in self.databases]

    _home = field_validator("root", "exclude_patients", "people")(at_home)

    @field_validator("holds")
    @classmethod
    def _holds_what_is_known(cls, names: list[str]) -> list[str]:
        check_known(names)
        return names

    @model_validator(mode="after")
    def _keys_fit_kind(self) -> SourceConfig:
        if self.kind not in (*KINDS, "synthetic"):
            raise ValueError(f"`kind: {self.kind}` is not one of {', '.join([*KINDS, 'synthetic'])}")
        if self.kind != "synthetic" and not self.root:
            raise ValueError("`root` is missing: the folder that holds the database")
        for key in KINDS[self.native_kind].required:
            if not getattr(self, key):
                raise ValueError(f"`{key}` is missing: `kind: {self.kind}` needs it")
        takes = KINDS[self.native_kind].options + (_SYNTHETIC if self.kind == "synthetic" else ())
        optional = {*_SYNTHETIC, *(option for kind in KINDS.values() for option in kind.options)}
        defaults = type(self).model_fields
        for key in sorted(optional - set(takes)):
            if getattr(self, key) != defaults[key].default:
                raise ValueError(f"`{key}` is not a key of `kind: {self.kind}`; take it out")
        if (
            isinstance(self.patients, str) == (self.kind == "synthetic")
            and self.patients != defaults["patients"].default
        ):
            raise ValueError(f"`patients` is a number for `kind: synthetic` and a path for {_takers('patients')}")
        if self.kind == "synthetic" and self.download != DownloadConfig():
            raise ValueError("`download` is not a key of `kind: synthetic`; take it out")
        if self.axes and (sorted(self.axes) != ["lead", "record", "sample"] or self.axes[0] != "record"):
            raise ValueError(f"`axes` is [record, lead, sample] or [record, sample, lead], found {self.axes}")
        _check_tables(self)
        relative = [] if isinstance(self.links, str) else [path for path in self.links if not path.startswith("/")]
        if relative:
            raise ValueError(f"`links` takes `inside`, `follow` or absolute paths of folders, found {relative[0]!r}")
        return self


def _check_tables(source: SourceConfig) -> None:
    """Raise `ValueError` where keys about tables of the user's own contradict each other."""
    if source.columns and source.table is None and source.people is None:
        raise ValueError("`columns` names columns of `table`, which is missing; give it, or take `columns` out")
    if source.table and source.people:
        raise ValueError("`table` has a row per recording, `people` one per person: give one of them")
    if source.table and source.visits == "first":
        raise ValueError("`visits` chooses among the files; with `table` its rows are the recordings: take one out")
    others = sorted(set(source.columns) - {"patient_id", "age", "sex"}) if source.people else []
    if others:
        raise ValueError(f"`columns`: {others[0]!r} is nothing that `people` says; it has patient_id, age and sex")
