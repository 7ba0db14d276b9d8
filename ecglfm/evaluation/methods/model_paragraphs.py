"""What the methods section says of models: encoder, pretraining, fine-tuning, thresholds, measurement and results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecglfm.config import FinetuneConfig
from ecglfm.config.fits import parse_fit
from ecglfm.config.kinds import KINDS
from ecglfm.config.wording import counted
from ecglfm.evaluation.methods.run import Run, Said
from ecglfm.evaluation.metrics import title_of
from ecglfm.evaluation.plots import with_interval
from ecglfm.evaluation.report import UNSAID, FittedModel, description_of, fitted_to, threshold_rule, told, untold
from ecglfm.models.lineage import licences, told_before
from ecglfm.models.settings import pretraining_of

_WEIGHTS = {
    "pretrain": "Its weights are of the pretraining below.",
    "random": "Its weights are random: it is a baseline.",
    "import": "Its weights were imported.",
    "none": "It is made by hand and has no weights: it is a baseline.",
}
_MODES = {
    "full": "Encoder and head were trained",
    "frozen": "The encoder was frozen and the head trained",
    "linear": "The encoder was frozen and a linear head trained on its vectors",
    "lora": "Low-rank adapters of the encoder and the head were trained",
    "zero_shot": "Nothing was trained on labels: the recording was compared with sentences for each label",
}
_SHAPE = ("layers", "dim", "heads", "ffn_dim", "kernel", "dropout")


def encoder(run: Run, name: str) -> Iterator[Said]:
    """What an encoder is and reads, and where its weights are from."""
    file = f"pretrain/{name}/encoder.json"
    info = run.json(file)
    if info is None:
        return
    model = info.get("model", {})
    shape = ", ".join(f"{key.replace('_', ' ')} {model[key]}" for key in _SHAPE if key in model)
    yield Said(f"A {model.get('kind', 'network of unknown kind')}{f' ({shape})' if shape else ''}.", (file,), name)
    if {"leads", "crop_seconds", "sampling_rate"} <= set(info):
        read = f"{counted(len(info['leads']), 'lead')} x {info['crop_seconds']:g} s at {info['sampling_rate']} Hz"
        yield Said(f"It reads {read}.", (file,), name)
    if info.get("input"):
        yield Said(_contract(info["input"]), (file,), name)
    yield Said(_WEIGHTS.get(str(info.get("weights")), "The origin of its weights is unknown."), (file,), name)
    if owners := licences(info):
        yield Said(f"Licence of its weights: {'; '.join(owners)}.", (file,), name)


def _contract(contract: dict[str, Any]) -> str:
    """How what it reads is made of prepared signals."""
    parts = (("record", "of a recording by"), ("window", "of each window by"))
    made = [f"{of} {', '.join(map(_step, contract[key]))}" for key, of in parts if contract.get(key)]
    return (
        f"What it reads ({contract.get('unit')}) is made of the prepared signals{': ' * bool(made)}{'; '.join(made)}."
    )


def _step(step: dict[str, Any]) -> str:
    """A step with its settings; numbers of each lead are in the file."""
    said = {key: value for key, value in step.items() if key != "step" and value is not None}
    settings = [f"{key} {value}" for key, value in said.items() if not isinstance(value, list) or len(value) < 4]
    return str(step["step"]).replace("_", " ") + (f" ({', '.join(settings)})" if settings else "")


def pretraining(run: Run, name: str) -> Iterator[Said]:
    """Objective and course of an encoder's pretraining; nothing of one that was not pretrained here."""
    file = f"pretrain/{name}/encoder.json"
    info = run.json(file)
    if info is None or info.get("weights") != "pretrain":
        return
    if (began := told_before(info)) is not None:
        yield Said(f"Its pretraining began with the weights of {began}.", (file,), name)
    training = info.get("training", {})
    if training.get("sources"):
        yield Said(f"Pretrained on {', '.join(training['sources'])}.", (file,), name)
    config = pretraining_of(info, run.results / file)
    if config is None:
        yield Said(UNSAID, (file,), name)
    else:
        if config.mixture is not None:
            total = sum(config.mixture.values())
            shares = [f"{100 * weight / total:.3g} % of {source}" for source, weight in sorted(config.mixture.items())]
            yield Said(f"Of the patients that it drew, {', '.join(shares)}.", (file,), name)
        if config.augment:
            kinds = [f"{one.kind.replace('_', ' ')} ({100 * one.probability:g} %)" for one in config.augment]
            yield Said(f"Shares of its segments were changed: {', '.join(kinds)}.", (file,), name)
        terms = config.objective.model_dump(mode="json", exclude_none=True)
        named = [
            f"{term.replace('_', ' ')} (weight {value['weight']:g})" for term, value in terms.items() if _is_term(value)
        ]
        yield Said(f"Objective: {', '.join(named) or terms.get('kind', 'unknown')}.", (file,), name)
        yield Said(
            f"Learning rate {config.lr:g} ({config.schedule.kind} schedule), weight decay {config.weight_decay:g},"
            f" {counted(training['pairs_per_update'], 'patient')} an update, precision {config.precision},"
            f" seed {config.seed}.",
            (file,),
            name,
        )
    length = [f"{training[key]:g} {key}" for key in ("steps", "epochs") if training.get(key) is not None]
    if length:
        yield Said(f"It ran for {', '.join(length)}.", (file,), name)


def _is_term(value: Any) -> bool:
    return isinstance(value, dict) and "weight" in value


def finetuning(run: Run, fit: FittedModel) -> Iterator[Said]:
    """How a model was fitted: mode, optimisation, and which epoch was kept."""
    name, file, config = parse_fit(fit.fit), _file(run, fit), _told(run, fit)
    measured = f"evaluate/{fit.path}/metrics.json"
    own = f"finetune/{fit.path}/model.json"  # of a cross-validation none: each fold kept an epoch of its own
    training = (run.json(own) or {}).get("training", {})
    part = f", with {100 * name.fraction:g} % of the training patients" if name.fraction < 1 else ""
    yield Said(f"{_MODES[name.mode]}{part}, seed {name.seed}.", (measured,), fit.path)
    if name.mode == "zero_shot":
        return
    if config is None:
        known = run.json(file) is not None
        yield Said(untold(run.results, fit, run.metrics(fit)), (file if known else measured,), fit.path)
    elif name.mode == "linear" and config.linear_solver == "lbfgs":
        solved = "L-BFGS found the head of least loss with an L2 penalty, which the validation split chose"
        yield Said(f"{solved} by the {config.select_by}.", (file,), fit.path)
        return
    else:
        head = "" if config.head_lr is None else f" ({config.head_lr:g} of the head)"
        yield Said(
            f"At most {counted(config.epochs, 'epoch')}, stopped after {config.patience} without a better"
            f" {config.select_by}; learning rate {config.lr:g}{head}, batch size {_batch(training, config)}, weight"
            f" decay {config.weight_decay:g}.",
            (file,),
            fit.path,
        )
        if config.head_start == "probe" and name.mode in ("full", "lora"):
            yield Said("The head began as a linear probe.", (file,), fit.path)
    if {"best_epoch", "epochs"} <= set(training):
        yield Said(f"Epoch {training['best_epoch']} of {training['epochs']} was kept.", (own,), fit.path)
    if "records_per_epoch" in training:
        long = f"An epoch was {counted(training['records_per_epoch'], 'record')} long, as of all training patients"
        yield Said(f"{long}: several passes over those of the share.", (own,), fit.path)


def _batch(training: dict[str, Any], config: FinetuneConfig) -> int:
    """Records of an update, of all devices where the model says so."""
    return int(training.get("records_per_update", config.batch_size * config.accumulate))


def _file(run: Run, fit: FittedModel) -> str:
    return description_of(fit, run.metrics(fit))


def _told(run: Run, fit: FittedModel) -> FinetuneConfig | None:
    return told(run.results, fit, run.metrics(fit))


def imbalance(run: Run, fit: FittedModel) -> Iterator[Said]:
    """Loss, and how classes were weighted in it."""
    config = _told(run, fit)
    if config is not None and parse_fit(fit.fit).mode != "zero_shot":
        kind = run.metrics(fit).get("kind", "multilabel")
        loss = next(iter(KINDS[kind].losses)) if config.loss == "auto" else config.loss
        yield Said(f"Loss {loss}, class weights {config.class_weights}.", (_file(run, fit),), fit.path)


def fitted(run: Run, fit: FittedModel) -> Iterator[Said]:
    """Records and patients that a model was fitted to and validated on."""
    n = fitted_to(run.results, fit)
    if {"train_records", "train_patients", "valid_records", "valid_patients"} <= set(n):
        yield Said(
            f"Fitted to {counted(n['train_records'], 'record')} of {counted(n['train_patients'], 'patient')}, validated"
            f" on {n['valid_records']} of {n['valid_patients']}.",
            (f"finetune/{fit.path}/model.json",),
            fit.path,
        )


def decisions(run: Run, fit: FittedModel) -> Iterator[Said]:
    """Calibration, and how thresholds were chosen and what they are."""
    metrics, file = run.metrics(fit), f"evaluate/{fit.path}/metrics.json"
    if temperatures := metrics.get("calibration", {}).get("temperature"):
        fitted_on = metrics["calibration"]["fitted_on"]
        said = f"Probabilities were calibrated by temperatures fitted on {fitted_on}: {_numbers(temperatures)}."
        yield Said(said, (file,), fit.path)
    if "thresholds" not in metrics:
        return
    if rule := threshold_rule(_told(run, fit)):
        yield Said(rule, (_file(run, fit),), fit.path)
    yield Said(f"Thresholds: {_numbers(metrics['thresholds'])}.", (file,), fit.path)


def _numbers(values: dict[str, Any]) -> str:
    """A number of each label, or those of the models of a cross-validation; one that all labels have is said once."""
    said = {name: " / ".join(f"{one:.3f}" for one in (value if isinstance(value, list) else [value]))
            for name, value in values.items()}  # fmt: skip
    if len(said) > 1 and len(set(said.values())) == 1:
        return f"{next(iter(said.values()))} of every label"
    return ", ".join(f"{name} {value}" for name, value in said.items())


def measurement(run: Run, fit: FittedModel) -> Iterator[Said]:
    """Test records, metrics and how intervals were made."""
    metrics, file = run.metrics(fit), f"evaluate/{fit.path}/metrics.json"
    n, boot = metrics["n"], metrics["bootstrap"]
    whose = KINDS[metrics.get("kind", "multilabel")].needed
    yield Said(
        f"Tested on {counted(n['records'], 'record')} of {counted(n['patients'], 'patient')}.", (file,), fit.path
    )
    yield Said(f"Metrics: {'; '.join(title_of(name) for name in metrics['macro'])}.", (file,), fit.path)
    for name, times in metrics.get("survival_times", {}).items():
        if times:
            said = ", ".join(f"{time:.4g}" for time in times)
            yield Said(
                f"Survival of {name} was judged at {said}, as chosen on the validation split or in the config.",
                (file,),
                fit.path,
            )
    if any(metrics.get("survival_times", {}).values()):
        slopes = metrics.get("calibration", {}).get("slope", {})
        times = f" of log hazard ratios times {_numbers(slopes)}" if slopes else ""
        how = f"by Breslow's baseline hazard of the validation split{times}"
        yield Said(f"Log hazard ratios were read as probabilities {how}.", (file,), fit.path)
    yield Said(
        f"Intervals cover {100 * boot['confidence']:g} % and are over {boot.get('unit', 'patient')}s:"
        f" {boot['resamples']} bootstrap resamples, seed {boot.get('seed', 'unknown')}; labels of fewer than"
        f" {boot.get('min_patients', 'unknown')} {whose} have none.",
        (file,),
        fit.path,
    )


def results(run: Run, fit: FittedModel) -> Iterator[Said]:
    """Headline metrics, over labels and of each."""
    metrics, file = run.metrics(fit), f"evaluate/{fit.path}/metrics.json"
    headline = KINDS[metrics.get("kind", "multilabel")].headline
    macro = ", ".join(f"{title_of(name)} {with_interval(metrics['macro'].get(name))}" for name in headline)
    if len(metrics["label_names"]) > 1:
        yield Said(f"Mean over labels: {macro}.", (file,), fit.path)
    for label in metrics["label_names"]:
        entries = metrics["labels"][label]
        one = ", ".join(f"{title_of(name)} {with_interval(entries[name])}" for name in headline if name in entries)
        yield Said(f"{label}: {one}.", (file,), fit.path)


def counts(run: Run, fit: FittedModel) -> Iterator[Said]:
    """Test records with each label."""
    n, file = run.metrics(fit)["n"], f"evaluate/{fit.path}/metrics.json"
    events = n.get("positives") or n.get("events")
    if events:
        said = ", ".join(f"{name} {number} of {n['known'][name]}" for name, number in events.items())
        what = "event" if "events" in n else "label"
        yield Said(f"Test records with the {what}: {said}.", (file,), fit.path)


def subgroups(run: Run, fit: FittedModel) -> Iterator[Said]:
    """The first headline metric in each subgroup."""
    metrics, file = run.metrics(fit), f"evaluate/{fit.path}/metrics.json"
    first = KINDS[metrics.get("kind", "multilabel")].headline[0]
    for variable, groups in metrics.get("subgroups", {}).items():
        parts = [
            f"{name} {group['reason'] if 'reason' in group else _measured(group['macro'].get(first))}"
            for name, group in groups.items()
        ]
        yield Said(f"{title_of(first)} by {variable}: {'; '.join(parts)}.", (file,), fit.path)


def _measured(entry: dict[str, Any] | None) -> str:
    known = entry is not None and entry.get("value") is not None
    return with_interval(entry) if known else "of no label, too few of each"


def elsewhere(run: Run, fit: FittedModel) -> Iterator[Said]:
    """The headline metrics on sources that were only tested."""
    metrics, file = run.metrics(fit), f"evaluate/{fit.path}/metrics.json"
    headline = KINDS[metrics.get("kind", "multilabel")].headline
    for source, measured in metrics.get("external", {}).items():
        macro = ", ".join(f"{title_of(name)} {with_interval(measured['macro'].get(name))}" for name in headline)
        n = measured["n"]
        whose = f"{counted(n['records'], 'record')} of {counted(n['patients'], 'patient')}, none in training"
        yield Said(f"On {source} ({whose}): {macro}.", (file,), fit.path)


def software(run: Run) -> Iterator[Said]:
    """Version and commit of the code that evaluated each model."""
    for fit in run.fits:
        code = run.metrics(fit).get("code", {})
        if {"version", "commit"} <= set(code):
            file = f"evaluate/{fit.path}/metrics.json"
            yield Said(f"Evaluated with ecglfm {code['version']}, commit {code['commit']}.", (file,), fit.path)
    yield Said("Versions of other libraries do not stand in the results.", ())
