"""Encoders and models that were trained elsewhere: what a folder of theirs says of itself, and whether it is the same.

Snakemake plans by this, so nothing heavier than JSON is read. A folder is known by the SHA-256 of its files, whatever
their dates say. Weights are large and plans are many, so a run keeps hashes with size and times of the files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ConfigDict, Field

from ecglfm.config.base import Section, UserError, parse
from ecglfm.config.difference import shown
from ecglfm.config.encoders.architecture import ModelConfig
from ecglfm.config.encoders.encoder_kind import Architecture
from ecglfm.config.input import InputConfig, check_input
from ecglfm.config.signals import PreprocessConfig

Stem = Literal["encoder", "model"]
#: Below `<results>/config`.
REMEMBERED = "imported.json"


class Description(Section):
    """What of an `encoder.json` a project must know to use it; `ecglfm.models.description` checks the rest."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    model: ModelConfig = Field(description="architecture")
    preprocess: PreprocessConfig = Field(description="how the signals that it reads are made")
    input: InputConfig | None = Field(None, description="how what it reads is made of those")


def read_json_of(folder: Path, stem: Stem, where: str) -> dict[str, Any]:
    """Content of `encoder.json` or `model.json`.

    Parameters
    ----------
    folder : path
    stem : {"encoder", "model"}
    where : str
        Key of the config that names the folder.

    Raises
    ------
    UserError
        There is no such file, or it is not what an ecglfm wrote.
    """
    path, other = folder / f"{stem}.json", {"encoder": "model", "model": "encoder"}[stem]
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        lies = f", but {other}.json of another kind" if (folder / f"{other}.json").is_file() else ""
        made = "`pretrain` or `import-checkpoint`" if stem == "encoder" else "`finetune`"
        raise UserError(f"{where}: {folder} holds no {stem}.json{lies}; give a folder that {made} wrote") from None
    except (ValueError, RecursionError):
        raise UserError(f"{where}: {path} is not valid JSON; make it again") from None
    if not isinstance(content, dict) or content.get("format") != f"ecglfm-{stem}":
        raise UserError(f"{where}: {path} is no {stem} of ecglfm's; give a folder that one wrote")
    return content


def read_description(folder: Path, stem: Stem, where: str) -> Description:
    """What an encoder's folder, or a model's of its encoder, says of itself; raises as `read_json_of`."""
    content = read_json_of(folder, stem, where)
    about = content if stem == "encoder" else content.get("encoder")
    return parse(Description, about if isinstance(about, dict) else {}, f"{where}: {folder / f'{stem}.json'}")


def check_whole(folder: Path, where: str) -> None:
    """Raise `UserError` where an encoder's folder lacks one of its files."""
    read_json_of(folder, "encoder", where)
    if missing := [path.name for path in _files(folder, "encoder") if not path.is_file()]:
        raise UserError(f"{where}: {folder} holds no {missing[0]}; copy the whole folder")


def check_model(found: Architecture, wanted: Architecture, where: str) -> None:
    """Raise `UserError` where an encoder has another architecture than a project says."""
    theirs, ours = found.model_dump(), wanted.model_dump()
    for key in theirs | ours:  # of keys that came later only what is not their default is dumped
        if theirs.get(key) != ours.get(key):
            raise UserError(
                f"{where}: its {key} is {theirs.get(key)!r}, this project's is {ours.get(key)!r}; make them agree, or"
                " leave `model` out, which the folder says"
            )


def check_preprocess(
    found: PreprocessConfig, wanted: PreprocessConfig, where: str, *, otherwise: str = "its features would mean nothing"
) -> None:
    """Raise `UserError` where an encoder reads signals prepared in another way than a project prepares them.

    Limits of quality do not change what it reads. `otherwise` says what would come of it.
    """
    theirs, ours = (one.model_dump(mode="json", exclude={"quality"}) for one in (found, wanted))
    differ = {key: value for key, value in theirs.items() if ours[key] != value}
    if differ:
        key = next(iter(differ))
        text = yaml.safe_dump({"preprocess": differ}, default_flow_style=True, width=10**6, sort_keys=False).strip()
        raise UserError(
            f"{where}: its {key} is {differ[key]!r}, this project's is {ours[key]!r}; make them agree, or {otherwise}:"
            f" write `{text[1:-1]}` into the config"
        )


def check_reads_same(
    found: PreprocessConfig, own: InputConfig | None, wanted: PreprocessConfig, said: InputConfig | None, where: str
) -> None:
    """Raise `UserError` where a project cannot give an encoder what it reads.

    Parameters
    ----------
    found : PreprocessConfig
        How signals were prepared where it comes from; of one with a contract it does not matter.
    own : InputConfig or None
        Its contract.
    wanted : PreprocessConfig
        How this project prepares them.
    said : InputConfig or None
        What this project says of that contract: the same, or its raw windows (`leaderboard.protocol`).
    where : str
        Key of the config that names it.
    """
    if own != said and (own is None or said is None or said != own.raw(said.window_seconds)):
        key, theirs, ours = _differs(own, said)
        raise UserError(
            f"{where}: its {key} is {shown(theirs)}, this project's is {shown(ours)}; leave `input` out, which the"
            " folder says"
        )
    if said is None:
        check_preprocess(found, wanted, where)
    else:
        check_input(said, wanted, where)


def _differs(theirs: InputConfig | None, ours: InputConfig | None) -> tuple[str, Any, Any]:
    """The first key of `input` that differs, with both values."""
    if theirs is None or ours is None:
        return "input", theirs and "a section", ours and "a section"
    there, here = theirs.model_dump(mode="json"), ours.model_dump(mode="json")
    key = next(key for key in there if there[key] != here[key])
    return f"input.{key}", there[key], here[key]


def content_hash(folder: Path, stem: Stem, known: Mapping[str, Any]) -> str | None:
    """SHA-256 of a folder's weights and description; the one that is known of it where its files are not there.

    Parameters
    ----------
    folder : path
    stem : {"encoder", "model"}
    known : mapping
        `remembered`: hashes of an earlier run, taken for good where size and times of the files are those.
    """
    entry = known.get(str(folder), {})
    now = _stamp(folder, stem)
    if now is None or now == entry.get("stamp"):
        return entry.get("sha256")
    digest = hashlib.sha256()
    for path in _files(folder, stem):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _files(folder: Path, stem: Stem) -> list[Path]:
    return [folder / f"{stem}.safetensors", folder / f"{stem}.json"]


def _stamp(folder: Path, stem: Stem) -> list[list[int]] | None:
    """Size, and times of change, of the files; None where one is not there."""
    try:
        return [[s.st_size, s.st_mtime_ns, s.st_ctime_ns] for s in (path.stat() for path in _files(folder, stem))]
    except OSError:
        return None


def _said(folder: str, stem: Stem, known: Mapping[str, Any]) -> dict[str, Any] | None:
    """`model` and `input` of a folder; of one that is not there, what is known of it."""
    try:
        description = read_description(Path(folder), stem, folder)
    except UserError:
        said: dict[str, Any] | None = known.get(folder, {}).get("said")
        return said
    return description.model_dump(mode="json", include={"model", "input"})


def remembered(results: str | Path) -> dict[str, Any]:
    """What the last run knew of imported folders; {} before the first."""
    try:
        content = json.loads((Path(results) / "config" / REMEMBERED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    known = {folder: entry for folder, entry in content.items() if isinstance(entry, dict)}
    return {folder: entry for folder, entry in known.items() if isinstance(entry.get("said"), dict | None)}


def remember(results: str | Path, hashes: Mapping[tuple[str, Stem], str | None]) -> None:
    """Keep the hashes of folders, with size and times of their files and what they say, for the next plan."""
    if not hashes:
        return
    path, known = Path(results) / "config" / REMEMBERED, remembered(results)
    content = {
        folder: {"sha256": sha256, "stamp": _stamp(Path(folder), stem), "said": _said(folder, stem, known)}
        for (folder, stem), sha256 in hashes.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)
