"""What the methods section says of recordings: where they are from, how they were split, prepared and labelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecglfm.config import ManifestSlice, PreprocessConfig
from ecglfm.config.wording import counted
from ecglfm.data.tables import table_pieces
from ecglfm.evaluation.methods.run import Run, Said
from ecglfm.evaluation.report import ledger_rows
from ecglfm.models.settings import was_told
from ecglfm.records import LEDGER_COLUMNS, SPLITS

AUDIT, MANIFEST, LEDGER = "manifest/audit.json", "config/manifest.yaml", "manifest/ledger.parquet"
PREPROCESS, CARD = "config/preprocess.yaml", "config/card.yaml"


def sources(run: Run) -> Iterator[Said]:
    """A sentence per database: its kind, and how many records of how many patients."""
    for name, counts in ((run.audit or {}).get("counts") or {}).items():
        files = [AUDIT]
        beside = ""
        if (source := run.source(name)) is not None:
            beside = f" (kind {source.config.kind})"
            files.append(f"config/source/{name}.yaml")
        total = {what: sum(part[what] for part in counts.values()) for what in ("records", "patients")}
        yield Said(
            f"{name}{beside}: {counted(total['records'], 'record')} of {counted(total['patients'], 'patient')}.",
            tuple(files),
        )


def licences(run: Run) -> Iterator[Said]:
    """What may be done with the recordings of each database, as far as the config says."""
    for name, licence in (run.card.licences if run.card else {}).items():
        yield Said(f"{name}: {licence or 'licence unknown, the config does not say'}.", (CARD,))


def splits(run: Run) -> Iterator[Said]:
    """How records were divided."""
    manifest = run.manifest
    if manifest is not None:
        yield Said(_division(manifest), (MANIFEST,))
        for source in manifest.sources:
            yield Said(_chosen(manifest, source), (MANIFEST,))


def counts(run: Run) -> Iterator[Said]:
    """How many records and patients of each source are in each split."""
    for source, counts in ((run.audit or {}).get("counts") or {}).items():
        parts = [
            f"{split} {counted(counts[split]['records'], 'record')} of {counted(counts[split]['patients'], 'patient')}"
            for split in SPLITS
            if split in counts
        ]
        yield Said(f"{source}: {', '.join(parts)}.", (AUDIT,))


def _division(manifest: ManifestSlice) -> str:
    unit = {"patient": "patient: all records of one are in one split", "record": "record, not by patient"}
    return f"Records were divided by {unit[manifest.manifest.group_by]} (seed {manifest.manifest.seed})."


def _chosen(manifest: ManifestSlice, source: str) -> str:
    config = manifest.manifest
    if config.tested_only(source):
        return f"{source}: test only."
    if (k := config.cross_validated.get(source)) is not None:
        return f"{source}: cross-validated in {k} folds."
    if source in config.folds:
        folds = config.folds[source]
        parts = [f"{split} {', '.join(map(str, getattr(folds, split)))}" for split in SPLITS if getattr(folds, split)]
        return f"{source}: by the folds of the database, {'; '.join(parts)}."
    shares = config.shares(source)
    drawn = ", ".join(f"{shares[split]:g} {split}" for split in SPLITS if shares[split])
    return f"{source}: shares of {drawn}{', by chance' if config.by_chance(source) else ''}."


def leakage(run: Run) -> Iterator[Said]:
    """What the audit of the splits found."""
    audit = run.audit
    if audit is None:
        return
    crossing = sum(bool(pair["crosses"]) for pair in audit["duplicate_pairs"])
    yield Said(
        f"The audit of the splits {'passed' if audit['passed'] else 'failed'}: patients in more than"
        f" one split: {len(audit['patient_overlap'])}; pairs of duplicate recordings: {len(audit['duplicate_pairs'])},"
        f" across splits: {crossing}.",
        (AUDIT,),
    )
    for source, number in audit.get("patients_unknown", {}).items():
        unknown = counted(number, "record states", "records state")
        yield Said(f"{source}: {unknown} no patient; each counts as a patient of its own.", (AUDIT,))


def omitted(run: Run) -> Iterator[Said]:
    """Records that were dropped, by reason."""
    path = run.results / LEDGER
    if not path.exists():
        return
    rows = ledger_rows(table_pieces(path, list(LEDGER_COLUMNS)))
    dropped = [row for row in rows if row["action"] == "dropped"]
    for row in dropped:
        yield Said(
            f"{counted(row['count'], 'record')} dropped at {row['stage']}: {row['reason'].replace('_', ' ')}.",
            (LEDGER,),
        )
    if not dropped:
        yield Said("No record was dropped.", (LEDGER,))


def preparation(run: Run) -> Iterator[Said]:
    """What was done to signals, and which tests of quality they had to pass."""
    config = run.preprocess
    if config is None:
        return
    files = (PREPROCESS,)
    yield Said(
        f"Signals: {counted(len(config.leads), 'lead')} ({', '.join(config.leads)}) at {config.sampling_rate} Hz.",
        files,
    )
    yield Said(f"Band-pass filter: {_settings(config.bandpass)}; mains notch: {_settings(config.notch)}.", files)
    yield Said(
        f"Missing runs of up to {config.max_gap_seconds:g} s were interpolated; longer ones were set to 0.", files
    )
    for action, verb in (("drop", "dropped"), ("flag", "flagged")):
        if tests := _tests(config, action):
            yield Said(f"Records that fail these were {verb}: {'; '.join(tests)}.", files)


def _settings(section: Any) -> str:
    if section is None:
        return "none"
    return ", ".join(f"{key} {value}" for key, value in section.model_dump(mode="json").items())


def _tests(config: PreprocessConfig, action: str) -> list[str]:
    found = []
    for name, test in config.quality.model_dump(mode="json").items():
        if isinstance(test, dict) and test.get("action") == action:
            limits = [f"{key} {value}" for key, value in test.items() if key != "action"]
            found.append(f"{name.replace('_', ' ')} ({', '.join(limits)})")
    return found


def outcome(run: Run, task: str) -> Iterator[Said]:
    """A task's labels and what carries each, by kind of database."""
    slice_ = run.task(task)
    if slice_ is None:
        return
    files: tuple[str, ...] = (f"config/labels/{task}.yaml",)
    models = run.models_of(task)
    if others := [file for file, info in models if info and not was_told(info, slice_)]:
        yield Said(
            "Its definition was changed after a model of it was fitted, so which labels that learnt is not known here:"
            " fit it again.",
            (*files, *others),
            task,
        )
        return
    if any(info is None for _, info in models):
        yield Said(
            "This is its definition now; a model of it is no longer in the results, so whether that learnt these labels"
            " is not known.",
            files,
            task,
        )
    config = slice_.config
    said = f": {config.description}" if config.description else ""
    yield Said(f"{config.kind.capitalize()}{said}, with the labels {', '.join(config.labels)}.", files, task)
    kinds = sorted(set(slice_.kinds.values()))
    written = config.model_dump(mode="json", exclude_defaults=True).get("labels", {})
    for label, selectors in written.items():
        for kind in kinds:
            if clauses := (selectors or {}).get(kind):
                parts = [f"{key.replace('_', ' ')} {_words(value)}" for key, value in clauses.items()]
                yield Said(f"{label} in {kind}: {'; '.join(parts)}.", files, task)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"`{key}` is {_words(one)}" for key, one in value.items())
    return ", ".join(f"`{one}`" for one in value) if isinstance(value, list) else f"`{value}`"
