"""A model as one zip file for somebody who has none of this: `ecglfm export --bundle`.

What lies in it is compared with the Python pipeline on a test vector before it gets its name. The same model and rate
give the same bytes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ecglfm.app.handover.contents import (
    ABOUT,
    CARD,
    EXAMPLE,
    FORMAT,
    FORMAT_VERSION,
    LICENCE,
    MODEL,
    PREPROCESS,
    README,
    SUMS,
    TOLERANCE_OUTPUTS,
    TOLERANCE_SHARE,
    BundledModel,
    Tolerance,
)
from ecglfm.app.handover.example import Example, make_example, risks_within
from ecglfm.app.handover.preprocessing import make_preprocessing
from ecglfm.app.handover.readme import readme
from ecglfm.app.handover.running import Difference, compare
from ecglfm.config import LEADS, InputConfig, UserError, parse
from ecglfm.config.kinds import KINDS
from ecglfm.models.lineage import licences
from ecglfm.provenance import atomic, code_version, sha256_file, write_json, write_text

_DAWN = (1980, 1, 1, 0, 0, 0)  # the first moment of a zip file's clock


class Made(NamedTuple):
    """What was written.

    Attributes
    ----------
    files : list of str
    rate : float
        Of the recordings, Hz.
    output : str
        What comes out, such as `probabilities`.
    difference : Difference
        From the Python pipeline, on the test vector.
    unit : str
        Of windows in it: `mV` or `units`.
    lacking : dict
        What is not there and could be: the option that brings it.
    """

    files: list[str]
    rate: float
    output: str
    difference: Difference
    unit: str
    lacking: dict[str, str]


def write_bundle(
    folder: Path,
    output: Path,
    *,
    rate: float | None = None,
    card: Path | None = None,
    licence: Path | None = None,
) -> Made:
    """Write the bundle of a model that `finetune` wrote.

    Parameters
    ----------
    folder : path
        Of the model.
    output : path
        The zip file.
    rate : float, optional
        Of the recordings that it will be given, Hz; that of prepared signals by default.
    card : path, optional
        Its card; by default `evaluate/…/card.html` of the results folder that the model lies in, or the copy beside it.
    licence : path, optional
        What the reader may do; without it the page says that nobody has said so.

    Returns
    -------
    Made

    Raises
    ------
    UserError
        There is no card, a file cannot be read, the rate does not fit, or the graphs give other numbers.
    """
    from ecglfm.models.bundle import load_model
    from ecglfm.models.export import export

    model = load_model(folder)
    encoder = model.encoder
    rate = float(encoder.preprocess.sampling_rate if rate is None else rate)
    card = card or _card_of(folder)
    for path, option in ((card, "--card"), (licence, "--licence")):
        if path is not None and not path.is_file():
            raise UserError(f"{option} {path}: no such file")
    graph = make_preprocessing(encoder.preprocess, rate=rate, crop_samples=encoder.crop_samples, contract=encoder.input)
    example = make_example(model, rate)
    allowed, decimals = _tolerance(encoder.input, example), 3 if encoder.input is None else 6
    about = {**model.info, "kind": model.kind, "aggregate": model.aggregate}  # files of old do not say these
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as temporary:
        inside = Path(temporary)
        (inside / PREPROCESS).write_bytes(graph.SerializeToString(deterministic=True))
        export(model, inside / MODEL, form="onnx")
        difference = compare(inside, example, parse(BundledModel, about, folder), allowed)
        write_json(inside / ABOUT, _about(about, rate, difference, allowed))
        content = example.to_json(decimals) | risks_within(model, example.outputs)
        write_text(inside / EXAMPLE, json.dumps(content, allow_nan=False))
        write_text(inside / LICENCE, _licence(licence, folder, model.info.get("encoder", {})))
        if card is not None:
            shutil.copyfile(card, inside / CARD)
        title = f"{model.info.get('task', folder.name)}, {model.info.get('fit', 'imported')}"
        write_text(inside / README, readme(model, title=title, rate=rate, card=card is not None))
        files = _zip(inside, output)
    lacking = {"a card": "--card"} if card is None else {}
    lacking |= {"a licence": "--licence"} if licence is None else {}
    return Made(files, rate, model.link.kind.outputs, difference, allowed.unit, lacking)


def _card_of(folder: Path) -> Path | None:
    """The card by a model's evaluation in the same results folder, or the copy beside the model, if one was made."""
    cards, parts = [folder / CARD], folder.resolve().parts
    if len(parts) >= 5 and parts[-4] == "finetune":
        cards.insert(0, Path(*parts[:-4], "evaluate", *parts[-3:], CARD))
    return next((card for card in cards if card.is_file()), None)


def _tolerance(contract: InputConfig | None, example: Example) -> Tolerance:
    """A microvolt; of another unit, in which no step is known that a microvolt makes, a share of the largest number."""
    if contract is None or contract.millivolts:
        return Tolerance()
    return Tolerance(windows=TOLERANCE_SHARE * float(np.abs(example.windows).max()), unit="units")


def _about(model: dict[str, Any], rate: float, difference: Difference, allowed: Tolerance) -> dict[str, Any]:
    """What `bundle.json` says; `model` is the whole content of `model.json`, thresholds and what it calibrates with."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "code": code_version(),
        "input": {"unit": "mV", "sampling_rate": rate, "leads": list(LEADS)},
        "output": KINDS[model["kind"]].outputs,
        "largest_difference": difference._asdict(),
        "tolerance": {**allowed.model_dump(), "outputs": TOLERANCE_OUTPUTS},
        "model": model,
    }


def _licence(given: Path | None, folder: Path, encoder: dict[str, Any]) -> str:
    """The licence of whoever hands the model on; else that there is none, and what foreign weights have."""
    if given is None:
        theirs = "".join(f"Its encoder's weights were made elsewhere; licence: {one}.\n" for one in licences(encoder))
        return theirs + (
            f"Nobody has said what may be done with the weights of this model, {folder.name}: ask who gave it to you.\n"
            "They come of recordings whose databases have terms of their own.\n"
            "The graphs were written by ecglfm, whose code is under the MIT licence.\n"
        )
    try:
        return given.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"--licence {given}: not UTF-8 text") from None


def _zip(inside: Path, output: Path) -> list[str]:
    """All files of a folder and their SHA-256, the page first; without a time of today, so that bytes are the same."""
    names = sorted((path.name for path in inside.iterdir()), key=lambda name: (name != README, name))
    write_text(inside / SUMS, "".join(f"{sha256_file(inside / name)}  {name}\n" for name in names))
    with atomic(output) as whole, zipfile.ZipFile(whole, "w") as archive:
        for name in [*names, SUMS]:
            entry = zipfile.ZipInfo(name, _DAWN)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            entry.file_size = (inside / name).stat().st_size
            with (inside / name).open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    return [*names, SUMS]
