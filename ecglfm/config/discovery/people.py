"""`discover.people`: who takes part in an association, and what is adjusted for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ecglfm.config.base import Section

MissingCodes = list[int | float | str] | None
MISSING_CODES = (
    "what in `table` means that nothing is known, beside NA, NaN, null and what is empty: e.g. [-9], or [-1, -3] of UK "
    "Biobank; []: nothing else does; null: a column with such a number, and otherwise none far below 0, is refused"
)


class PeopleConfig(Section):
    """The people of an association and their covariates, in the ids of the genotype files."""

    covariates: list[str] = Field(
        ["age", "sex", "source"],
        description="what is adjusted for, beside genetic components: `age`, `age2` (its square), `sex`, `source`, and "
        "columns of `table`; text is made into 0 and 1, the first level left out; what does not vary, or is a sum of "
        "others, is left out and named",
    )
    table: str | None = Field(
        None, description="CSV or TSV of your own with a column `IID` and further covariates, e.g. array, batch, centre"
    )
    categorical: list[str] = Field([], description="columns of `table` whose numbers are names, e.g. batch, centre")
    missing_codes: MissingCodes = Field(None, description=MISSING_CODES)
    missing: Literal["leave_out", "indicator"] = Field(
        "leave_out",
        description="people without some covariate: `leave_out` them, or `indicator`: they have the mean of the "
        "others, and a column `{name}_missing` says who; for a database that does not say its patients' age and sex",
    )
    keep: str | None = Field(
        None, description="file with an IID a line (or FID and IID): only they take part, e.g. one ancestry"
    )
    exclude: list[str] = Field([], description="files of the same form: they do not, e.g. related people, withdrawals")
    measured: list[str] = Field(
        ["pr_ms", "qtc_fridericia_ms", "sokolow_lyon_mv"],
        description="columns of `biomarkers.parquet` that are traits beside the features, rank-inverse-normal as they "
        "are: controls, whose loci are known",
    )
    min_overlap: float = Field(
        0.8,
        ge=0,
        le=1,
        description="share of the people with features who must be found among the genotypes; below it ids do not "
        "match, and the step fails with both counts",
    )
