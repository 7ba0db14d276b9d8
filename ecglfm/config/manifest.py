"""What a user may say about splits and their audit."""

from __future__ import annotations

import itertools
import re
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    field_validator,
    model_serializer,
    model_validator,
)

from ecglfm.config.base import Name, Section, Seed
from ecglfm.config.expression import parse_condition
from ecglfm.config.text import as_text

Fold = StrictBool | int | str
_RANGE = re.compile(r"(\d{1,4})\.\.(\d{1,4})")
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class FoldsConfig(Section):
    """Which of a database's own folds make which split, those not named none; or `k`: a cross-validation."""

    k: int | None = Field(
        None,
        ge=3,
        description="instead of the other keys: its patients are cross-validated in this many folds, by the seed and "
        "the labels of `stratify`; each is tested by a model that learnt from the others and chose by the next one",
    )
    column: str | None = Field(
        None, description="column of the database's table whose values are meant, e.g. `split`; null: its folds"
    )
    train: list[Fold] = Field(
        [], description="folds, or values of `column`, of the training split; required without `k`"
    )
    valid: list[Fold] = Field([], description="those of the validation split; required without `k`")
    test: list[Fold] = Field([], description="those of the locked test split; required without `k`")

    across: Literal["fail", "last"] = Field(
        "fail",
        description="a patient with recordings in several of the splits, as by years: `fail`, the audit ends the build;"
        " `last`, they are all the patient's last split's (test, else valid), and those of the others are in none",
    )

    @field_validator("train", "valid", "test", mode="before")
    @classmethod
    def _ranges(cls, folds: Any) -> Any:
        """`1990..2018` is all whole numbers from the one to the other."""
        if not isinstance(folds, list):
            return folds
        matches = [_RANGE.fullmatch(fold) if isinstance(fold, str) else None for fold in folds]
        spans = [
            [fold] if match is None else list(range(int(match[1]), int(match[2]) + 1))
            for fold, match in zip(folds, matches, strict=True)
        ]
        if not all(spans):
            raise ValueError(f"{folds[spans.index([])]!r} holds no number; write the smaller one first")
        return list(itertools.chain.from_iterable(spans))

    @model_serializer(mode="wrap")
    def _one_of_the_two(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What does not apply is left out: manifests from before there were `k` and `across` stay what they are."""
        content: dict[str, Any] = write(self)
        if self.across == "fail":
            del content["across"]
        return {key: value for key, value in content.items() if (key == "k") == (self.k is not None)}

    @model_validator(mode="after")
    def _names_k_or_splits(self) -> FoldsConfig:
        given = self.model_fields_set - {"k"}
        if self.k is not None and given:
            raise ValueError(f"`k` deals the patients out by itself; leave {min(given)!r} out")
        missing = [split for split in ("train", "valid", "test") if split not in given]
        if self.k is None and missing:
            raise ValueError(
                f"{missing[0]!r} is missing: name train, valid and test, or write {{k: 5}} to cross-validate"
            )
        return self

    @model_validator(mode="after")
    def _folds_are_disjoint(self) -> FoldsConfig:
        seen = set()
        for fold in self.train + self.valid + self.test:
            if as_text(fold) in seen:
                raise ValueError(f"fold {fold!r} stands twice; 1 and '01' are one fold, so are A and a")
            seen.add(as_text(fold))
        return self


class FractionsConfig(Section):
    """Shares of one source's patients, by the seeded hash."""

    valid: Fraction = Field(0.0, description="share of its patients in the validation split")
    test: float = Field(
        ge=0.0, le=1.0, description="share of its patients in the locked test split; 1: all, evaluated by themselves"
    )

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> FractionsConfig:
        if self.test == 1 and self.valid > 0:
            raise ValueError("test: 1 leaves nothing for valid; write {test: 1} for a source that is only tested")
        if self.valid + self.test >= 1 and self.test < 1:
            raise ValueError("valid + test leave nothing to train on; {test: 1} is a source that is only tested")
        return self


class AmplitudesConfig(Section):
    """Amplitudes (as `preprocess.quality.amplitude` measures them) that look like a wrong unit or gain: a warning each.

    Nothing is dropped.
    """

    lowest_median: float = Field(0.3, ge=0, description="a source with a smaller median is warned of, mV")
    highest_median: float = Field(3.5, gt=0, description="a source with a larger median is warned of, mV")
    lowest_ratio: float = Field(
        1 / 3, ge=0, description="a recording of a smaller amplitude, as a multiple of its source's median, is flagged"
    )
    highest_ratio: float = Field(
        3.5, gt=0, description="a recording of a larger amplitude, as a multiple of its source's median, is flagged"
    )

    @model_validator(mode="after")
    def _something_passes(self) -> AmplitudesConfig:
        if self.lowest_median >= self.highest_median or self.lowest_ratio >= self.highest_ratio:
            raise ValueError("nothing lies between `lowest_…` and `highest_…`: the lowest must be smaller")
        return self


class ManifestConfig(Section):
    """Splits by patient, and the audit of them."""

    valid_fraction: Fraction = Field(
        0.1, description="share of patients in the validation split (sources without `folds` or `fractions`)"
    )
    test_fraction: Fraction = Field(
        0.1, description="share of patients in the locked test split (sources without `folds` or `fractions`)"
    )
    group_by: Literal["patient", "record"] = Field(
        "patient", description="unit of the split; `record` fails the audit as soon as a patient crosses splits"
    )
    folds: dict[str, FoldsConfig] = Field(
        {},
        description="source: its own folds, or a column of its table, to use instead of the seeded hash; {k: 5} "
        "cross-validates a small cohort",
    )
    fractions: dict[str, FractionsConfig] = Field(
        {},
        description="source: shares of its own; {valid: 0.05, test: 0} keeps a source for pretraining, {test: 1} for "
        "an evaluation of its own",
    )
    stratify: list[Name] = Field(
        [],
        description="stems of config/tasks/*.yaml by whose labels patients are split, so that each split "
        "and each fold of a cross-validation has its share of every label's patients; a database's own `folds` stay",
    )
    query: str | None = Field(
        None,
        description="records to use, e.g. `age >= 18 and source in ['ptbxl', 'code15']`; the others are dropped, each "
        "with a row in the ledger; names are columns of manifest/records.parquet or of the databases' own tables",
    )
    seed: Seed = Field(0, description="seed of the hash that assigns patients to splits")
    duplicate_correlation: float = Field(
        0.98,
        gt=0,
        le=1,
        description="recordings correlating at least this much, freed of drift and at the best lag, are duplicates",
    )
    duplicates: Literal["fail", "move"] = Field(
        "fail",
        description="a pair of duplicates across splits: fail the build, or move all patients that duplicates link to "
        "`test` if one of them is there, else `valid`, and say so in the ledger",
    )

    amplitudes: AmplitudesConfig = Field(
        AmplitudesConfig(), description="amplitudes that are flagged in the ledger and warned of"
    )

    @field_validator("query")
    @classmethod
    def _query_is_a_condition(cls, query: str | None) -> str | None:
        if query is not None:
            parse_condition(query)
        return query

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> ManifestConfig:
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError("valid_fraction + test_fraction leave nothing to train on")
        if self.stratify and self.group_by == "record":
            raise ValueError("`stratify` splits patients; take it out, or write `group_by: patient`")
        both = sorted(set(self.folds) & set(self.fractions))
        if both:
            raise ValueError(f"source {both[0]!r} stands in `folds` and in `fractions`: one of them decides its splits")
        counts = sorted({folds.k for folds in self.folds.values() if folds.k is not None})
        if counts and self.group_by == "record":
            raise ValueError("`folds` with `k` cross-validates patients; write `group_by: patient`")
        if len(counts) > 1:
            raise ValueError(f"`folds` has k: {counts[0]} and k: {counts[1]}; a project has one number of folds")
        return self

    @property
    def cross_validated(self) -> dict[str, int]:
        """Number of folds of each source that is cross-validated."""
        return {source: folds.k for source, folds in self.folds.items() if folds.k is not None}

    def shares(self, source: str) -> dict[str, float]:
        """Share of a source's patients in each split; of no meaning for a source with `folds`."""
        own = self.fractions.get(source)
        valid, test = (self.valid_fraction, self.test_fraction) if own is None else (own.valid, own.test)
        return {"train": 1 - valid - test, "valid": valid, "test": test}

    def by_chance(self, source: str) -> bool:
        """Whether a draw decides which of its splits a patient of a source is in."""
        return source not in self.folds and max(self.shares(source).values()) < 1

    def tested_only(self, source: str) -> bool:
        """Whether a source has no records in train and valid."""
        folds = self.folds.get(source)
        if folds is None:
            return self.shares(source)["test"] == 1
        return folds.k is None and not folds.train + folds.valid

    def is_tested(self, source: str) -> bool:
        """Whether some of a source's records may be in test."""
        folds = self.folds.get(source)
        return self.shares(source)["test"] > 0 if folds is None else folds.k is not None or bool(folds.test)

    def expected(self, source: str) -> set[str]:
        """Splits that a source should fill: all, but where `folds` or `fractions` of its own leave some out."""
        folds, shares = self.folds.get(source), self.shares(source)
        if folds is not None and folds.k is None:
            return {split for split in shares if getattr(folds, split)}
        return {split for split, share in shares.items() if share > 0 or source not in self.fractions}
