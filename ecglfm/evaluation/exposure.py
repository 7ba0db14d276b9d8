"""Has an encoder's pretraining seen what it is tested on? A word for each tested source, and what else is known of it.

`yes`, `perhaps` (one person may be in both), `unknown` (nobody says), `no` (no overlap is known). Trainings on this
manifest, and those of ours elsewhere that saw recordings which are in it, are counted by patient: who saw a source's
training split has not seen its test split. Of others' encoders, what their makers name is held against what the source
holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import BASELINES, CardSlice
from ecglfm.config.databases import DATABASES, overlap, shared
from ecglfm.config.wording import counted
from ecglfm.data.tables import TableReader, table_pieces
from ecglfm.evaluation.leakage import drawn, held_by, sources_of, why_unknown
from ecglfm.models.lineage import licences, lineage, pretrained_on
from ecglfm.models.seen import known_among, read_seen
from ecglfm.provenance import read_json

#: From the worst to the best.
WORDS = ("yes", "perhaps", "unknown", "no")


class Exposure(NamedTuple):
    """Whether something that is tested was seen.

    Attributes
    ----------
    seen : {"yes", "perhaps", "unknown", "no"}
    why : str
        In words.
    """

    seen: str
    why: str


def exposures(
    encoder: dict[str, Any],
    audit: Mapping[str, Any],
    records: TableReader,
    test: pd.DataFrame,
    *,
    stated: Sequence[str] = (),
    prints: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Exposure]:
    """What the trainings of an encoder, and of the weights that it goes on with, saw of each tested source.

    Parameters
    ----------
    encoder : dict
        `encoder.json`.
    audit : mapping
        `manifest/audit.json`: which databases sources hold, and which of them overlap.
    records : TableReader
        `manifest/records.parquet`.
    test : DataFrame
        `record_id` and `patient_id` of the test records.
    stated : sequence of str
        Published databases that the config says it was pretrained on, beside those that its file names.
    prints : mapping of str to ndarray of uint64, optional
        Fingerprints of what it saw: `pretraining` and `before`, as far as its folder has them (`ecglfm.models.seen`).

    Returns
    -------
    dict of str to Exposure
        By source, in the order of the test records.
    """
    tested = _by_source(test)
    trainings = [one for one in lineage(encoder) if one.get("weights") not in BASELINES]
    if not trainings:
        return dict.fromkeys(tested, Exposure("no", f"{BASELINES[encoder['weights']]}: no pretraining"))
    found: dict[str, list[Exposure]] = {source: [] for source in tested}
    databases = audit.get("databases", {})
    held = {source: held_by(own, databases.get(source, [])) for source, own in tested.items()}
    whys = [why_unknown(one, records) for one in trainings]
    here = [name for one, why in zip(trainings, whys, strict=True) if why is None for name in sources_of(one)]
    if here:
        here = list(dict.fromkeys(here))
        for source, patients in _met(tested, drawn(records, here)).items():
            found[source].append(_counted(source, patients, tested[source], here, held[source], audit))
    parts = dict(prints or {})
    if whys[0] is None:
        parts.pop("pretraining", None)  # of the training that was counted
    by_samples = _by_samples(parts.values(), records, tested)
    for one, why in zip(trainings, whys, strict=True):
        if why is None:
            continue
        names = list(dict.fromkeys([*stated, *pretrained_on({"imported": one.get("imported")})]))
        for source, own in found.items():
            if source in by_samples and "imported" not in one:
                own.append(by_samples[source])
            elif names:
                own.append(_stated(names, source, held[source]))
            else:
                own.append(Exposure("unknown", why))
    return {source: _joined(own) for source, own in found.items()}


def worst(found: Mapping[str, Exposure]) -> Exposure:
    """One word for a test on several sources: the worst, with the reasons of the sources that it is of."""
    word = min((one.seen for one in found.values()), key=WORDS.index, default="unknown")
    whys = {source: one.why for source, one in found.items() if one.seen == word}
    if len(set(whys.values())) < 2:
        return Exposure(word, next(iter(whys.values()), "what it saw, or what is tested, is not there"))
    return Exposure(word, "; ".join(f"{source}: {why}" for source, why in whys.items()))


def about_encoder(results: Path, encoder: str, said: CardSlice, test: pd.DataFrame | None = None) -> dict[str, Any]:
    """What tables say of an encoder beside its numbers.

    Parameters
    ----------
    results : path
        Folder of every output.
    encoder : str
        Its name.
    said : CardSlice
        What the config says of encoders that were made elsewhere.
    test : DataFrame, optional
        `record_id`, `patient_id` and `split` of the test records; those of a source that is only tested have another
        split than `test`.

    Returns
    -------
    dict
        `licence` (None where nobody says), `pretraining` (in words) and, with `test`, `seen` and `why` of the split
        `test`, and `sources`: both of each source.
    """
    folder, manifest = results / "pretrain" / encoder, results / "manifest"
    info = read_json(folder / "encoder.json") if (folder / "encoder.json").is_file() else {}
    stated = said.pretrained_on.get(encoder, [])
    about = {
        "licence": said.encoder_licences.get(encoder) or "; ".join(licences(info)) or None,
        "pretraining": pretraining_in_words(info, stated),
    }
    if test is None:
        return about
    found: dict[str, Exposure] = {}
    if info and (manifest / "records.parquet").is_file() and (manifest / "audit.json").is_file():
        prints = {part: own for part, (_, own) in read_seen(folder).items() if part != "finetuning"}
        pieces, audit = partial(table_pieces, manifest / "records.parquet"), read_json(manifest / "audit.json")
        found = exposures(info, audit, pieces, test, stated=stated, prints=prints)
    inside = set(_by_source(test[test["split"] == "test"]))
    own = worst({source: one for source, one in found.items() if source in inside})
    return about | own._asdict() | {"sources": {source: one._asdict() for source, one in found.items()}}


def pretraining_in_words(info: Mapping[str, Any], stated: Sequence[str] = ()) -> str:
    """What an encoder was pretrained on: sources of our trainings, and databases that makers of others' name."""
    told = []
    for one in lineage(info):
        sources = (one.get("training") or {}).get("sources") or []
        names = list(dict.fromkeys([*stated, *pretrained_on({"imported": one.get("imported")})]))
        if one.get("weights") in BASELINES:
            continue
        if one.get("weights") == "pretrain" and sources:
            told.append(f"train and valid of {', '.join(sources)}")
        elif names:
            told.append(", ".join(DATABASES[name].title for name in names))
        else:
            told.append(f"{', '.join(sources)} of another project" if sources else "unknown")
    return ", before that ".join(told) or "nothing"


def _by_source(test: pd.DataFrame) -> dict[str, pd.DataFrame]:
    sources = test["record_id"].str.partition("/")[0]
    return {str(source): own for source, own in test.groupby(sources, sort=False)}


def _met(tested: Mapping[str, pd.DataFrame], seen: Iterator[pd.DataFrame]) -> dict[str, set[str]]:
    """Test patients of each source of whom something was seen."""
    met: dict[str, set[str]] = {source: set() for source in tested}
    for part in seen:
        for source, own in tested.items():
            both = own["patient_id"].isin(part["patient_id"]) | own["record_id"].isin(part["record_id"])
            met[source] |= set(own.loc[both, "patient_id"])
    return met


def _counted(
    source: str, met: set[str], test: pd.DataFrame, here: Sequence[str], held: Sequence[str], audit: Mapping[str, Any]
) -> Exposure:
    """Of trainings on sources of this manifest."""
    titled = f"pretrained on train and valid of {', '.join(here)}"
    if met:
        return Exposure("yes", f"{titled}: {_share(met, test)} are among them")
    databases = audit.get("databases", {})
    pairs = [overlap(held, databases.get(name, [])) for name in here if name != source]
    whys = [why for why in pairs if why]
    return (
        Exposure("perhaps", f"{titled}: {whys[0]}") if whys else Exposure("no", f"{titled}: no test patient is there")
    )


def _by_samples(
    prints: Iterable[np.ndarray], records: TableReader, tested: Mapping[str, pd.DataFrame]
) -> dict[str, Exposure]:
    """Of sources of which a training elsewhere saw recordings; of others, or prepared otherwise, nothing follows."""
    if not (parts := list(prints)):
        return {}
    known, patients = np.unique(np.concatenate(parts)), {source: set[str]() for source in tested}
    for part in records(["patient_id", "source", "sha256"]):
        rows = part[part["source"].isin(tested)]
        for source, own in rows[known_among(rows["sha256"], known)].groupby("source"):
            patients[str(source)] |= set(own["patient_id"])
    found = {}
    for source, own in tested.items():
        met = set(own["patient_id"]) & patients[source]
        if met:
            found[source] = Exposure("yes", f"pretrained elsewhere: it knows recordings of {_share(met, own)}")
        elif patients[source]:
            others = counted(len(patients[source]), "other patient")
            found[source] = Exposure("no", f"pretrained elsewhere: it knows recordings of {others} of {source} alone")
    return found


def _share(met: set[str], test: pd.DataFrame) -> str:
    return f"{len(met)} of {counted(test['patient_id'].nunique(), 'test patient')}"


def _stated(names: Sequence[str], source: str, held: Sequence[str]) -> Exposure:
    """By what its makers name."""
    titled = f"pretrained on {', '.join(DATABASES[name].title for name in names)}"
    if not held:
        return Exposure("unknown", f"{titled}: nothing says which published databases {source} holds (`holds`)")
    if why := overlap(held, names):
        return Exposure("yes" if shared(held, names) else "perhaps", f"{titled}: {why}")
    return Exposure("no", f"{titled}: no overlap with {source} is known")


def _joined(own: Sequence[Exposure]) -> Exposure:
    """Of several trainings the worst."""
    word = min((one.seen for one in own), key=WORDS.index)
    return Exposure(word, "; ".join(dict.fromkeys(one.why for one in own if one.seen == word)))
