"""Saved encoders and models: safetensors for the weights, JSON for everything else.

A saved file is self-contained: architecture, preprocessing, lead order, label names. Nothing in it is
executed: safetensors holds numbers only, and the JSON is checked by the same typed config as a user's YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ecglfm.config import UserError, parse
from ecglfm.models.description import EncoderDescription, ModelDescription
from ecglfm.models.encoders import Encoder, make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.meta_device import on_meta_device
from ecglfm.models.reference import Reference
from ecglfm.provenance import atomic, code_version, read_json, write_json

FORMAT_VERSION = 1
MAX_JSON_BYTES = 1 << 24
MAX_SIZE = 1 << 18  # of a width or a kernel: a tensor of three of them has a size that torch can reckon with
ModuleT = TypeVar("ModuleT", bound=nn.Module)


def describe_encoder(encoder: Encoder, info: dict[str, Any] | None = None) -> dict[str, Any]:
    """Content of `encoder.json`: what the encoder was loaded with, then `info`, then what it is."""
    return {
        "name": "encoder",
        "weights": "random",
        "code": code_version(),
        **encoder.info,
        **(info or {}),
        "format": "ecglfm-encoder",
        "format_version": FORMAT_VERSION,
        "model": encoder.config.model_dump(mode="json"),
        "leads": encoder.leads,
        "sampling_rate": encoder.sampling_rate,
        "crop_seconds": encoder.crop_seconds,
        "preprocess": encoder.preprocess.model_dump(mode="json"),
        **({} if encoder.input is None else {"input": encoder.input.model_dump(mode="json")}),
    }


def save_encoder(folder: str | Path, encoder: Encoder, info: dict[str, Any]) -> None:
    """Write `encoder.safetensors` and `encoder.json`.

    Parameters
    ----------
    folder : path
        Made when it does not exist.
    encoder : Encoder
    info : dict
        `name`, `weights`, `config_hash`, `data_hash`, `training`, …: anything JSON holds.
    """
    _save(Path(folder), "encoder", encoder, describe_encoder(encoder, info))


def save_model(folder: str | Path, model: ECGModel, info: dict[str, Any]) -> None:
    """Write `model.safetensors` and `model.json`.

    Parameters
    ----------
    folder : path
        Made when it does not exist.
    model : ECGModel
    info : dict
        `task`, `config_hash`, `data_hash`, …: anything JSON holds.
    """
    content: dict[str, Any] = {
        "code": code_version(),
        **info,
        "format": "ecglfm-model",
        "format_version": FORMAT_VERSION,
        "encoder": describe_encoder(model.encoder, info.get("encoder")),
        "mode": model.mode,
        "kind": model.kind,
        "label_names": model.label_names,
        "aggregate": model.aggregate,
    }
    if model.link.kind.has_classes:
        content["thresholds"] = [float(threshold) for threshold in model.thresholds]
    if model.calibration is not None:
        content["temperature"] = [float(temperature) for temperature in model.calibration.temperatures]
    if model.conformal is not None:
        content["conformal"] = asdict(model.conformal)
    if model.baselines:
        content["baseline_hazards"] = [None if one is None else asdict(one) for one in model.baselines]
    if (reference := model.reference) is not None:
        known = {"limits": reference.limits, "common_flags": list(reference.common)}
        content["reference"] = {"share": reference.share, **known}
    if model.link.kind.standardized:
        content |= {"target_mean": list(model.link.mean), "target_scale": list(model.link.scale)}
    _save(Path(folder), "model", model, content)


def load_encoder(path: str | Path) -> Encoder:
    """Read an encoder, in `eval()`, float32, on the CPU.

    Parameters
    ----------
    path : path
        The folder, or `encoder.safetensors` or `encoder.json` in it.

    Returns
    -------
    Encoder
        `.info` holds the content of the JSON.

    Raises
    ------
    UserError
        A file is missing, garbled or of a newer format, a key has a value that cannot be, or a weight is missing, has
        another shape or is not finite.
    """
    json_path, content = _read_description(Path(path), "encoder")
    about = parse(EncoderDescription, content, json_path)
    encoder = _load(json_path, lambda weights: _build_encoder(about, str(json_path), weights))
    encoder.info = content
    return encoder


def load_model(path: str | Path) -> ECGModel:
    """Read a fine-tuned model, in `eval()`, float32, on the CPU.

    Parameters
    ----------
    path : path
        The folder, or `model.safetensors` or `model.json` in it.

    Returns
    -------
    ECGModel
        With `.kind`, `.label_names`, `.thresholds`, `.encoder`; `.info` holds the content of the JSON.

    Raises
    ------
    UserError
        As `load_encoder`.
    """
    json_path, content = _read_description(Path(path), "model")
    description = parse(ModelDescription, content, json_path)
    where = f"{json_path}: encoder"
    about = parse(EncoderDescription, description.encoder, where)

    def build(weights: int) -> ECGModel:
        encoder = _build_encoder(about, where, weights)
        model = ECGModel(encoder, description.label_names, description.mode, description.link)
        if description.reference is not None:
            model.reference = Reference(model.embedding_dim, len(encoder.leads))
        return model

    model = _load(json_path, build)
    model.calibration, model.conformal = description.calibration, description.sets
    model.thresholds, model.aggregate = description.thresholds or [], description.aggregate
    model.baselines = description.baselines
    if model.reference is not None and description.reference is not None:
        about_reference = description.reference
        model.reference.limits = {str(name): limit for name, limit in about_reference.limits.items()}
        model.reference.share, model.reference.common = about_reference.share, tuple(about_reference.common_flags)
    model.info, model.encoder.info = content, content["encoder"]
    return model


def _save(folder: Path, stem: str, module: nn.Module, content: dict[str, Any]) -> None:
    """Write weights, then description; each atomically."""
    # safetensors refuses tensors that share memory (tied weights, views of a flat buffer): each gets its own.
    state = {name: value.detach().cpu().contiguous().clone() for name, value in module.state_dict().items()}
    with atomic(folder / f"{stem}.safetensors") as temporary:
        save_file(state, temporary, metadata={"format": "pt"})
    write_json(folder / f"{stem}.json", content)


def _read_description(path: Path, stem: str) -> tuple[Path, dict[str, Any]]:
    """Path and content of the JSON that belongs to `path`, checked as far as its format."""
    json_path = path / f"{stem}.json" if path.is_dir() else path.with_suffix(".json")
    other = {"encoder": "model", "model": "encoder"}[stem]
    if not json_path.is_file():
        if path.is_dir() and (path / f"{other}.json").is_file():
            raise UserError(f"{path}: what lies here is the {other}, not the {stem}; read it with load_{other}")
        raise UserError(f"{json_path}: no such file; give the folder that holds {stem}.json and {stem}.safetensors")
    if json_path.stat().st_size > MAX_JSON_BYTES:
        raise UserError(f"{json_path}: longer than {MAX_JSON_BYTES} bytes, which no description is")
    try:
        content = read_json(json_path)
    except ValueError as error:
        raise UserError(f"{json_path}: not valid JSON: {error}; make it again") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != f"ecglfm-{stem}":
        raise UserError(f"{json_path}: format is {str(found)[:40]!r}, expected 'ecglfm-{stem}'")
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise UserError(f"{json_path}: format_version {version!r}; this ecglfm reads {FORMAT_VERSION}: update one")
    return json_path, content


def _build_encoder(about: EncoderDescription, where: str, weights: int) -> Encoder:
    """An encoder with the described structure, whose file holds so many weights."""
    if about.model.parts > weights:  # before a number in the file makes a billion layers
        raise UserError(f"{where}: describes {about.model.parts} layers, but only {weights} weights lie beside it")
    if (size := max(_sizes(about.model.model_dump()))) > MAX_SIZE:
        raise UserError(f"{where}: model: {size} is no width or kernel of a layer; at most {MAX_SIZE} is read")
    geometry = (about.leads, about.sampling_rate, about.preprocess, about.crop_seconds)
    return make_encoder(about.model, *geometry, about.input)


def _sizes(value: Any) -> Iterator[int]:
    """Whole numbers in a description, wherever they stand."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _sizes(inner)


def _load(json_path: Path, build: Callable[[int], ModuleT]) -> ModuleT:
    """Build the module without drawing weights, then give it those beside `json_path`; `build` is told their number."""
    path = json_path.with_suffix(".safetensors")
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {json_path.name} lies alone") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error}); copy or make it again") from None
    with on_meta_device():
        module = build(len(state))
    expected = module.state_dict()
    for name, value in expected.items():
        if name not in state:
            raise UserError(f"{path}: weight {name!r} is missing; {json_path.name} describes another model")
        if state[name].shape != value.shape:
            found, wanted = tuple(state[name].shape), tuple(value.shape)
            raise UserError(f"{path}: weight {name!r} has shape {found}, but {json_path.name} describes {wanted}")
        if value.is_floating_point() and not (finite := state[name].isfinite()).all():
            count = finite.numel() - int(finite.sum())
            raise UserError(
                f"{path}: weight {name!r} is not finite at {count} of {finite.numel()} places: the file is damaged, or"
                " what wrote it had failed; make it again"
            )
    unknown = sorted(set(state) - set(expected))
    if unknown:
        raise UserError(f"{path}: unknown weight {unknown[0]!r}; {json_path.name} describes another model")
    module.load_state_dict(state, assign=True)
    return module.float().eval()
