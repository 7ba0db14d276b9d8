"""What GWAS-SSF asks of a column: the rules of version 1.0, as the GWAS Catalog's own validator has them.

Hayhurst et al., A community driven GWAS summary statistics standard (2022, doi:10.1101/2022.07.15.500230), and the
table schema of EBISPOT/gwas-sumstats-tools. Beside these the Catalog takes no file of fewer than 100,000 variants or
without one of the 22 autosomes, and asks for a YAML file of metadata; these are between the submitter and the Catalog.

Held to gwas-sumstats-tools 1.0.25 once (2026-11-30): it takes a file of ours of 120,000 variants on chromosomes 1 to
25 with `info`, `variant_id` and P down to 1e-440, packed and plain; of 18 others, each with one fault or oddity, and
one of another order, both say the same but for position 0 and a negative standard error, which it lets pass.
"""

from __future__ import annotations

from typing import NamedTuple

#: How a value that is not known is written; `NA` and nothing are read, too.
MISSING = "#NA"
MISSING_TOO = ("#NA", "NA", "")


class Column(NamedTuple):
    """Rules for the values of one column.

    Attributes
    ----------
    name : str
    kind : str
        `integer`, `number` or `text`.
    low, high : float or None
        Least and largest value.
    pattern : str
        Regular expression that a text matches as a whole.
    above : bool
        Whether `low` itself is too small.
    optional : bool
        Whether the column, and each of its values, may be missing.
    """

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    pattern: str = ""
    above: bool = False
    optional: bool = False

    @property
    def rule(self) -> str:
        """The rule in words, behind "is not"."""
        if self.pattern:
            return f"text of the form {self.pattern}"
        kind = {"integer": "a whole number", "number": "a number"}[self.kind]
        if self.low is None:
            return kind
        least = f"above {self.low:g}" if self.above else f"of at least {self.low:g}"
        return f"{kind} {least}" if self.high is None else f"{kind} {least} and at most {self.high:g}"


_ALLELE = "[ACGTacgt]+|LONG_STRING"

#: One of these is the fifth column; the first is what is computed with.
EFFECTS = {
    "beta": Column("beta", "number"),
    "odds_ratio": Column("odds_ratio", "number", 0),
    "hazard_ratio": Column("hazard_ratio", "number", 0),
}
#: One of these is the eighth column.
P_VALUES = {
    "p_value": Column("p_value", "number", 0, 1, above=True),
    "neg_log_10_p_value": Column("neg_log_10_p_value", "number", 0),
}
#: The first eight columns, in this order; `beta` and `p_value` may be another of their kind.
MANDATORY = (
    Column("chromosome", "integer", 1, 25),
    Column("base_pair_location", "integer", 1),
    Column("effect_allele", "text", pattern=_ALLELE),
    Column("other_allele", "text", pattern=_ALLELE),
    EFFECTS["beta"],
    Column("standard_error", "number", 0),
    Column("effect_allele_frequency", "number", 0, 1),
    P_VALUES["p_value"],
)
#: Columns that have rules where they are there. Others may stand beside them and are taken as they are.
ENCOURAGED = (
    Column("variant_id", "text", pattern="[A-Za-z0-9_]+", optional=True),
    Column("rsid", "text", pattern="rs[0-9]+", optional=True),
    Column("info", "number", 0, 1, optional=True),
    Column("ci_upper", "number", optional=True),
    Column("ci_lower", "number", optional=True),
    Column("ref_allele", "text", pattern="EA|OA", optional=True),
    Column("n", "integer", 0, optional=True),
)


def columns_of(names: list[str]) -> list[Column]:
    """Rules for the columns of a file, mandatory ones first; of a column without rules there is none.

    Raises
    ------
    ValueError
        A mandatory column is not there, or not in its place.
    """
    expected = []
    for place, column in enumerate(MANDATORY):
        others = {"beta": EFFECTS, "p_value": P_VALUES}.get(column.name, {column.name: column})
        found = names[place] if place < len(names) else "nothing"
        if found not in others:
            raise ValueError(f"column {place + 1} is {found!r}, where GWAS-SSF has {' or '.join(others)}")
        expected.append(others[found])
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"column {twice[0]!r} stands twice")
    return expected + [column for column in ENCOURAGED if column.name in names]
