"""The typed config: strict YAML, errors that name file and key, slices that hold only what a stage needs."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml

from ecglfm.config import (
    EncoderConfig,
    PretrainConfig,
    Project,
    ProjectConfig,
    SourceConfig,
    TaskConfig,
    UserError,
    load,
    load_task,
    parse,
    read_yaml,
)
from ecglfm.config.documentation import markdown, schema
from ecglfm.config.identity import check_identity, write_identity
from ecglfm.training.schedule import rate_factor

BASE = {"sources": ["demo-ptbxl"], "encoders": ["tiny"], "tasks": ["coin-toss"]}


def test_yaml_words_and_numbers_mean_what_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("words: [no, on, NO, true]\nnumbers: [1e-6, 1.0e-6, 7, .5, -2]\n")
    assert read_yaml(path) == {"words": ["no", "on", "NO", True], "numbers": [1e-6, 1e-6, 7, 0.5, -2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: not valid YAML: key 'a' stands twice"),
        ("a: [1\n", "a.yaml:2: not valid YAML"),
        ("- 1\n", "a.yaml: expected `key: value` lines, found list"),
        ("a: \x00\n", "a.yaml: not valid YAML"),
        ("a: 2024-13-45\n", "a.yaml: not valid YAML"),
        ("x: !!python/object/apply:os.system [true]\n", "not valid YAML: could not determine a constructor"),
    ],
)
def test_bad_yaml_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match="^[^\n]*$") as error:
        read_yaml(tmp_path / "a.yaml")
    assert message in str(error.value)


def test_yaml_of_another_encoding_or_without_end_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\n# caf\xe9\n")
    with pytest.raises(UserError, match=r"latin\.yaml:2: not UTF-8; save the file in that encoding$"):
        read_yaml(tmp_path / "latin.yaml")
    (tmp_path / "deep.yaml").write_text("a: " + "[" * 100_000)
    with pytest.raises(UserError, match=r"deep\.yaml: not valid YAML: brackets in brackets, too deep to read$"):
        read_yaml(tmp_path / "deep.yaml")


def test_a_mistake_is_named_where_it_stands(repository: Path) -> None:
    recipe, given = {"finetune": {"lrr": 1, "epochs": 2}}, {"finetune": {"epochs": "many"}, "encoders": ["tinny"]}
    content = BASE | {"finetune": recipe["finetune"] | given["finetune"], "evaluate": {"bootstrap": 0}}
    with pytest.raises(UserError) as error:
        Project(content, repository / "config", over=[("my.yaml", recipe), ("--config", given)])
    assert sorted(line.partition(": ")[0].rpartition("/")[2] for line in str(error.value).splitlines()) == [
        "--config", "config.yaml", "my.yaml",
    ]  # fmt: skip
    assert "--config: finetune.epochs: Input should be a valid integer" in str(error.value)
    assert "my.yaml: finetune.lrr: unknown key" in str(error.value)
    other = {"sources": ["demo-mimic"]}
    with pytest.raises(
        UserError, match=r"is not in --config's sources: demo-mimic; choose others in config\.yaml's `tasks`"
    ):
        Project(BASE | other | {"tasks": ["diagnosis", "ptbxl-all"]}, repository / "config", over=[("--config", other)])


@pytest.mark.parametrize("weights", [{"weights": "import", "path": "x"}, {"weights": "random"}])
def test_a_training_that_would_not_happen_is_refused(repository: Path, weights: dict) -> None:
    tiny = read_yaml(repository / "config/encoders/tiny.yaml")
    assert parse(EncoderConfig, tiny, "tiny.yaml").pretrain is not None
    with pytest.raises(UserError, match=f"`weights: {weights['weights']}` trains nothing, and there is a `pretrain:`"):
        parse(EncoderConfig, tiny | weights, "tiny.yaml")


def test_missing_file_lists_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text("a: 1\n")
    with pytest.raises(UserError, match="teeny.yaml: no such file; .* has: tiny"):
        read_yaml(tmp_path / "teeny.yaml")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"finetune": {"lrr": 1}}, "config.yaml: finetune.lrr: unknown key; did you mean 'lr'?"),
        ({"preprocess": {"quality": {"flat_lead": 1}}}, "config.yaml: preprocess.quality.flat_lead: unknown key; did you mean 'flat_leads'?"),
        ({"finetune": {"epochs": "many"}}, "config.yaml: finetune.epochs: Input should be a valid integer, unable to parse string as an integer, found 'many'"),
        ({"finetune": {"lr": float("inf")}}, "config.yaml: finetune.lr: Input should be a finite number, found inf"),
        ({"finetune": {"seeds": [10**22]}}, f"config.yaml: finetune.seeds.0: Input should be less than {2**63}, found {10**22}"),
        ({"results": "r{x}"}, "config.yaml: results: '{' in the folder's name means something else to Snakemake; choose another name"),
        ({"tasks": [False]}, "config.yaml: tasks.0: YAML reads an unquoted yes/no/on/off as true/false; put it in quotes"),
        ({"roots": {"ptbxl": "/x"}}, "config.yaml: (whole file): `roots` names 'ptbxl', which is not in sources ['demo-ptbxl']"),
        ({"manifest": {"valid_fraction": 0.6, "test_fraction": 0.5}}, "config.yaml: manifest: valid_fraction + test_fraction leave nothing to train on"),
        ({"manifest": {"folds": {"demo-ptbxl": {"train": [1, 2], "valid": [2], "test": [3]}}}}, "config.yaml: manifest.folds.demo-ptbxl: fold 2 stands twice; 1 and '01' are one fold, so are A and a"),
        ({"manifest": {"folds": {"demo-ptbxl": {"train": [1], "valid": ["A", 2], "test": ["01"]}}}}, "config.yaml: manifest.folds.demo-ptbxl: fold '01' stands twice; 1 and '01' are one fold, so are A and a"),
        ({"manifest": {"folds": {"demo-ptbxl": {"train": ["A", "B"], "valid": ["a"], "test": [1]}}}}, "config.yaml: manifest.folds.demo-ptbxl: fold 'a' stands twice; 1 and '01' are one fold, so are A and a"),
        ({"preprocess": {"leads": ["I", "IX"]}}, "config.yaml: preprocess.leads: each lead once, out of I II III aVR aVL aVF V1 V2 V3 V4 V5 V6; wrong here: ['IX']"),
    ],
)  # fmt: skip
def test_each_mistake_gives_one_line(change: dict, line: str) -> None:
    with pytest.raises(UserError) as error:
        parse(ProjectConfig, BASE | change, "config.yaml")
    assert str(error.value) == line


def test_command_line_text_is_converted() -> None:
    config = parse(ProjectConfig, BASE | {"finetune": {"lr": "1e-6", "epochs": "3", "freeze_frontend": "false"}}, "x")
    assert (config.finetune.lr, config.finetune.epochs, config.finetune.freeze_frontend) == (1e-6, 3, False)


def test_length_of_pretraining_is_given_once() -> None:
    for content in ({}, {"steps": 1, "epochs": 1}):
        with pytest.raises(UserError, match="write one of `steps: N` and `epochs: N`"):
            parse(PretrainConfig, content, "x")


def test_two_frames_are_hidden_at_least() -> None:
    with pytest.raises(UserError, match="length 1 needs min_spans 2 or more"):
        parse(PretrainConfig, {"steps": 1, "mask": {"length": 1, "min_spans": 1}}, "pretrain")
    assert parse(PretrainConfig, {"steps": 1, "mask": {"length": 2, "min_spans": 1}}, "pretrain").mask.length == 2


def test_binary_task_has_one_label() -> None:
    label = {"ptbxl": {"scp": ["AFIB"]}}
    with pytest.raises(UserError, match="has exactly one label, found 2"):
        parse(TaskConfig, {"kind": "binary", "labels": {"a": label, "b": label}}, "x")


def test_every_shipped_yaml_is_sound(repository: Path) -> None:
    folders = {"sources": partial(load, SourceConfig), "encoders": partial(load, EncoderConfig), "tasks": load_task}
    counts = {}
    for folder, read in folders.items():
        files = sorted((repository / "config" / folder).glob("*.yaml"))
        counts[folder] = len([read(path) for path in files])
    assert counts["sources"] >= 4
    assert counts["encoders"] >= 2
    assert counts["tasks"] >= 4
    base = yaml.safe_load((repository / "config/config.yaml").read_text())
    for recipe in [None, *sorted((repository / "config/recipes").glob("*.yaml"))]:
        content = dict(base) | (yaml.safe_load(recipe.read_text()) if recipe else {})
        Project(content, repository / "config")


def test_generated_files_are_up_to_date(repository: Path) -> None:
    assert (repository / "config/schema.json").read_text() == schema(), "run `make docs`"
    assert (repository / "config/README.md").read_text() == markdown(), "run `make docs`"


def _project(repository: Path, **change: object) -> Project:
    return Project(BASE | change, repository / "config")


@pytest.mark.parametrize(
    ("change", "slices"),
    [
        ({"finetune": {"lr": 0.5}}, {"finetune/tiny"}),
        ({"finetune": {"modes": ["full", "linear"], "seeds": [0, 1]}}, set()),
        ({"evaluate": {"bootstrap": 7}}, {"evaluate"}),
        ({"tracking": {"enabled": False}}, {"tracking"}),
        ({"manifest": {"seed": 7}}, {"manifest"}),
        ({"preprocess": {"notch": {}}}, {"preprocess", "pretrain/tiny"}),
        ({"tasks": ["coin-toss", "coin-toss-2"]}, {"labels/coin-toss-2"}),
    ],
)
def test_an_edit_changes_only_its_stages(repository: Path, tmp_path: Path, change: dict, slices: set[str]) -> None:
    config = tmp_path / "config"
    for folder, name in (("sources", "demo-ptbxl"), ("encoders", "tiny"), ("tasks", "coin-toss")):
        (config / folder).mkdir(parents=True)
        text = (repository / "config" / folder / f"{name}.yaml").read_text()
        (config / folder / f"{name}.yaml").write_text(text)
    (config / "tasks/coin-toss-2.yaml").write_text((config / "tasks/coin-toss.yaml").read_text())
    before, after = Project(BASE, config).slices(), Project(BASE | change, config).slices()
    assert {name for name in after if after[name] != before.get(name)} == slices


def _two_encoders(repository: Path, folder: Path, own: str) -> Path:
    """The config with an encoder `mine`: `tiny` and some lines of its own."""
    shutil.copytree(repository / "config", folder)
    tiny = (folder / "encoders/tiny.yaml").read_text()
    (folder / "encoders/mine.yaml").write_text(f"{tiny}\n{own}\n")
    return folder


def test_an_encoders_own_finetune_wins_and_reruns_its_fits_only(repository: Path, tmp_path: Path) -> None:
    content = BASE | {"encoders": ["tiny", "mine"], "finetune": {"lr": 0.5, "epochs": 7, "schedule": {"warmup": 9}}}
    before = Project(content, _two_encoders(repository, tmp_path / "before", "")).slices()
    own = "finetune: {lr: 1e-2, schedule: {kind: cosine}}"
    after = Project(content, _two_encoders(repository, tmp_path / "after", own)).slices()
    assert {name for name in after if after[name] != before[name]} == {"finetune/mine"}
    found = {name: yaml.safe_load(after[f"finetune/{name}"])["finetune"] for name in ("tiny", "mine")}
    assert [(found[name]["lr"], found[name]["epochs"]) for name in found] == [(0.5, 7), (0.01, 7)]
    assert [found[name]["schedule"]["kind"] for name in found] == ["constant", "cosine"]
    assert [found[name]["schedule"]["warmup"] for name in found] == [9, 0]  # a section as a whole


def test_no_pretraining_is_told_of_finetune(repository: Path, tmp_path: Path) -> None:
    """What stands in a slice or in the identity of a checkpoint starts a training anew."""
    folder = _two_encoders(repository, tmp_path / "config", "finetune: {lr: 1e-2}")
    slice_ = Project(BASE | {"encoders": ["mine"]}, folder).encoder_slice("mine")
    assert slice_.config.finetune == {"lr": 0.01}
    assert "finetune" not in slice_.model_dump(mode="json")["config"]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("lrr: 1", "finetune.lrr: unknown key; did you mean 'lr'?"),
        ("lr: fast", "finetune.lr: Input should be a valid number, unable to parse string as a number, found 'fast'"),
        ("seeds: [1]", "finetune: seeds says which fits there are, for every encoder: write it in config.yaml"),
        ("schedule: {warm: 1}", "finetune.schedule.warm: unknown key; did you mean 'warmup'?"),
        ("loss: cox", "finetune.loss: cox does not fit task coin-toss of kind binary; write one of auto, bce, focal, asymmetric"),
    ],
)  # fmt: skip
def test_mistakes_in_an_encoders_finetune_name_file_and_key(
    repository: Path, tmp_path: Path, own: str, message: str
) -> None:
    folder = _two_encoders(repository, tmp_path / "config", f"finetune: {{{own}}}")
    with pytest.raises(UserError) as error:
        Project(BASE | {"encoders": ["tiny", "mine"]}, folder)
    assert str(error.value) == f"{folder / 'encoders/mine.yaml'}: {message}"


def test_a_project_wide_mistake_is_not_blamed_on_the_encoder(repository: Path, tmp_path: Path) -> None:
    folder = _two_encoders(repository, tmp_path / "config", "finetune: {lr: 1e-2}")
    with pytest.raises(UserError, match="^finetune.loss: cox does not fit"):
        Project(BASE | {"encoders": ["mine"], "finetune": {"loss": "cox"}}, folder)


def test_the_supervised_baseline_trains_as_its_benchmark(repository: Path) -> None:
    """Strodthoff et al. 2021: one cycle, maximal rate 0.01, weight decay 0.01, whatever suits the pretrained ones."""
    finetune = {"lr": 5.0e-5, "head_lr": 1.0e-3, "layer_decay": 0.75, "patience": 3}
    slice_ = _project(repository, encoders=["xresnet1d101"], finetune=finetune).finetune_slice("xresnet1d101").finetune
    assert (slice_.lr, slice_.head_lr, slice_.weight_decay, slice_.layer_decay) == (0.01, None, 0.01, 1.0)
    assert slice_.patience >= 50  # its 50 epochs are never cut short
    rates = [rate_factor(step, total=100, schedule=slice_.schedule) for step in range(100)]
    assert max(rates) == rates[29] == 1.0
    assert rates[0] < 0.1
    assert rates[-1] == 0.0


def test_number_of_shards_reruns_the_manifest_but_no_index(repository: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    for folder, name in (("sources", "demo-ptbxl"), ("encoders", "tiny"), ("tasks", "coin-toss")):
        (config / folder).mkdir(parents=True)
        (config / folder / f"{name}.yaml").write_text((repository / "config" / folder / f"{name}.yaml").read_text())
    before = Project(BASE, config).slices()
    source = config / "sources/demo-ptbxl.yaml"
    source.write_text(source.read_text().replace("shards: 2", "shards: 5"))
    after = Project(BASE, config).slices()
    assert {name for name in after if after[name] != before[name]} == {"manifest"}


def test_synthetic_source_takes_no_root(repository: Path) -> None:
    with pytest.raises(UserError, match="demo-ptbxl.yaml: a synthetic source .* takes no root, found '/data'"):
        _project(repository, roots={"demo-ptbxl": "/data"})


def test_download_takes_what_the_source_reads_and_its_edit_reruns_nothing(repository: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(repository / "config", tmp_path / "config")
    before = Project(BASE | {"sources": ["demo-ptbxl", "ptbxl"]}, folder).slices()
    assert yaml.safe_load(before["download/ptbxl"]) == {
        "source": "ptbxl",
        "root": "data/ptb-xl",
        "url": "https://physionet.org/files/ptb-xl/1.0.3/",
        "only": ["records500/*"],
        "tables": ["ptbxl_database.csv", "scp_statements.csv"],
    }
    assert "download/demo-ptbxl" not in before
    with (folder / "sources/ptbxl.yaml").open("a") as file:
        file.write("download: {url: 'https://mirror/', only: ['*.hea']}\n")
    after = Project(BASE | {"sources": ["demo-ptbxl", "ptbxl"]}, folder).slices()
    assert {name for name in after if after[name] != before[name]} == {"download/ptbxl"}
    with pytest.raises(UserError, match="`download` is not a key of `kind: synthetic`"):
        parse(SourceConfig, {"kind": "synthetic", "download": {"url": "https://mirror/"}}, "s.yaml")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"leads": {"C1": "V7"}}, "leads.C1"),
        ({"links": ["archive"]}, "`links` takes `inside`, `follow` or absolute paths of folders, found 'archive'"),
        ({"links": "outside"}, "links"),
        ({"checks": "none"}, "checks"),
        ({"kind": "code15", "checks": "off"}, "`checks` is not a key of `kind: code15`"),
        ({"kind": "ptbxl", "leads": {"C1": "V1"}}, "`leads` is not a key of `kind: ptbxl`"),
    ],
)
def test_what_is_odd_about_files_is_said_in_known_words(keys: dict, message: str):
    with pytest.raises(UserError, match=message):
        parse(SourceConfig, {"kind": "wfdb_folder", "root": "r"} | keys, "s.yaml")


def test_order_of_sources_changes_no_pretraining(repository: Path) -> None:
    one = _project(repository, sources=["demo-ptbxl", "demo-mimic"]).slices()
    other = _project(repository, sources=["demo-mimic", "demo-ptbxl"]).slices()
    assert one["pretrain/tiny"] == other["pretrain/tiny"]


@pytest.mark.parametrize("change", [{"finetune": {"seeds": [-1]}}, {"finetune": {"seeds": []}}, {"sources": []}])
def test_what_would_fail_late_fails_at_once(change: dict) -> None:
    with pytest.raises(UserError, match="^config.yaml: (finetune.seeds|sources)"):
        parse(ProjectConfig, BASE | change, "config.yaml")


def test_a_project_may_be_data_alone(repository: Path) -> None:
    project = Project({"sources": ["mine"], "encoders": [], "tasks": []}, repository / "config")
    assert {name for name in project.slices() if "/" in name} == {"source/mine"}


def test_sources_of_another_project_are_refused_with_the_way_out(repository: Path) -> None:
    change = {"sources": ["mine"], "encoders": ["tiny"], "tasks": ["diagnosis"]}
    with pytest.raises(UserError, match=r"diagnosis.yaml: sources: 'demo-mimic' is not in .*`tasks` \(\[\] for none\)"):
        Project(change, repository / "config")


def test_what_stratifies_moves_patients_only_where_a_label_changes(repository: Path, tmp_path: Path) -> None:
    """The tasks of `stratify` are read by the stage manifest; those of `tasks` are not, nor is what changes no label."""
    folder = tmp_path / "config"
    shutil.copytree(repository / "config", folder)
    both = BASE | {"sources": ["demo-ptbxl", "demo-mimic"]}
    stratified = both | {"manifest": {"stratify": ["af"]}}
    expected = Project(stratified, folder).slices()["manifest"]
    assert expected != Project(both, folder).slices()["manifest"]
    path = folder / "tasks/af.yaml"
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(content | {"description": "another", "min_positives": 7, "rare": "leave_out"}))
    assert Project(stratified | {"tasks": ["coin-toss", "diagnosis", "af"]}, folder).slices()["manifest"] == expected
    path.write_text(yaml.safe_dump(content | {"exclude": {"ptbxl": {"scp": ["PACE"]}}}))
    assert Project(stratified, folder).slices()["manifest"] != expected


def test_evaluate_is_told_which_sources_are_only_tested(repository: Path) -> None:
    def told(**manifest: object) -> list[str]:
        project = _project(repository, sources=["demo-ptbxl", "demo-mimic"], manifest=manifest)
        return project.evaluate_slice().tested_only

    assert told() == told(fractions={"demo-mimic": {"valid": 0.5, "test": 0.4}}) == []
    assert told(fractions={"demo-mimic": {"test": 1}}) == ["demo-mimic"]
    folds = {"train": [], "valid": [], "test": [9, 10]}
    assert told(folds={"demo-ptbxl": folds}) == ["demo-ptbxl"]
    assert told(folds={"demo-ptbxl": folds | {"valid": [8]}}) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"kind": "verification"}, "`kind: verification` has no labels"),
        ({"kind": "regression", "labels": {"age": {"ptbxl": {"value": "age"}}}}, "`kind: regression` has no labels"),
        (
            {"kind": "binary", "sources": ["ludb"], "labels": {"x": {"ludb": {"report": ["x"]}}}},
            "sources: 'ludb' is not in the project's",
        ),
    ],
)
def test_a_task_that_cannot_stratify_is_named(repository: Path, tmp_path: Path, content: dict, said: str) -> None:
    shutil.copytree(repository / "config", tmp_path / "config")
    path = tmp_path / "config/tasks/mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=f"^{path}: .*{said}"):
        Project(BASE | {"manifest": {"stratify": ["mine"]}}, tmp_path / "config")


def test_fits_are_mode_and_seed(repository: Path) -> None:
    project = _project(repository, finetune={"modes": ["full", "linear"], "seeds": [0, 3]})
    assert project.fits == ["full-s0", "full-s3", "linear-s0", "linear-s3"]


def test_fits_of_shares_and_of_label_efficiency(repository: Path) -> None:
    efficiency = {"fractions": [0.005, 1.0], "seeds": [7, 8]}
    project = _project(
        repository, finetune={"modes": ["full"], "fractions": [0.1, 1.0], "label_efficiency": efficiency}
    )
    assert project.fits == ["full-s0-10pct", "full-s0"]
    assert project.efficiency_fits == ["full-s7-0.5pct", "full-s7", "full-s8-0.5pct", "full-s8"]
    assert project.finetune_slice("tiny") == _project(repository).finetune_slice(
        "tiny"
    )  # which fits there are reruns none


def test_a_loss_that_does_not_fit_a_task_is_refused_before_anything_runs(repository: Path) -> None:
    with pytest.raises(UserError, match="finetune.loss: cox does not fit task coin-toss of kind binary"):
        _project(repository, finetune={"loss": "cox"})


def test_results_of_another_database_are_not_mixed(repository: Path, tmp_path: Path) -> None:
    first = _project(repository, results=str(tmp_path))
    check_identity(first)  # nothing remembered yet
    write_identity(first)
    _make_index(tmp_path, "demo-ptbxl")
    check_identity(_project(repository, results=str(tmp_path), sources=["demo-ptbxl", "demo-mimic"]))
    with pytest.raises(UserError, match="was filled from source 'demo-ptbxl' .* this config leaves it out"):
        check_identity(
            Project(
                {
                    "sources": ["demo-mimic"],
                    "encoders": ["tiny"],
                    "tasks": ["ptbxl-superdiagnostic"],
                    "results": str(tmp_path),
                }
                | {"tasks": ["af-mimic"]},
                _folder_with_task(repository, tmp_path),
            )
        )


def _make_index(results: Path, source: str) -> None:
    (results / "index").mkdir(exist_ok=True)
    (results / "index" / f"{source}.parquet").touch()


def _ptbxl(repository: Path, results: Path, root: Path) -> Project:
    chosen = {"sources": ["ptbxl"], "encoders": [], "tasks": [], "roots": {"ptbxl": str(root)}}
    return Project(chosen | {"results": str(results)}, repository / "config")


def test_a_root_binds_once_there_is_an_index_and_a_moved_database_is_known(repository: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name, content in {"right": "1", "moved": "1", "other": "2"}.items():
        (tmp_path / name).mkdir()
        for table in ("ptbxl_database.csv", "scp_statements.csv"):
            (tmp_path / name / table).write_text(content)
    write_identity(_ptbxl(repository, results, tmp_path / "mistyped"))
    right = _ptbxl(repository, results, tmp_path / "right")
    check_identity(right)
    write_identity(right)
    check_identity(_ptbxl(repository, results, tmp_path / "other"))
    _make_index(results, "ptbxl")
    check_identity(_ptbxl(repository, results, tmp_path / "moved"))
    check_identity(_ptbxl(repository, results, tmp_path / "other" / ".." / "right"))
    with pytest.raises(UserError, match="was filled from source 'ptbxl' .*right.*, this config reads 'ptbxl .*other'"):
        check_identity(_ptbxl(repository, results, tmp_path / "other"))
    for table in (tmp_path / "right").iterdir():  # put away: what is remembered of them stays
        table.unlink()
    write_identity(right)
    check_identity(_ptbxl(repository, results, tmp_path / "moved"))


def test_an_identity_of_an_earlier_version_is_read(repository: Path, tmp_path: Path) -> None:
    _make_index(tmp_path, "ptbxl")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/identity.json").write_text('{"ptbxl": "ptbxl path/to/it"}')
    check_identity(_ptbxl(repository, tmp_path, Path("path/to/it")))
    with pytest.raises(UserError, match=r"\(ptbxl path/to/it\), this config reads 'ptbxl elsewhere'"):
        check_identity(_ptbxl(repository, tmp_path, Path("elsewhere")))


def test_spellings_of_one_results_folder_are_one(repository: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = repository / "config"
    projects = [Project(BASE | {"results": name}, config) for name in ("results", "results/", "./results")]
    assert [project.config.results for project in projects] == ["results"] * 3
    write_identity(projects[0])
    _make_index(tmp_path / "results", "demo-ptbxl")
    check_identity(Project(BASE | {"results": str(tmp_path / "results")}, config))


def _folder_with_task(repository: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "config-copy"
    for name in ("sources/demo-mimic", "encoders/tiny"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text((repository / "config" / f"{name}.yaml").read_text())
    (folder / "tasks").mkdir()
    (folder / "tasks/af-mimic.yaml").write_text(
        "kind: binary\nlabels: {AF: {mimic_iv_ecg: {report: [atrial fibrillation]}}}\n"
    )
    return folder


def test_a_verification_has_no_labels_and_no_fits(repository: Path) -> None:
    project = _project(
        repository, tasks=["identification", "age"], evaluate={"bootstrap": 7, "calibration": "temperature"}
    )
    assert (list(project.tasks), list(project.verifications)) == (["age"], ["identification"])
    slices = project.slices()
    assert "verify/identification" in slices
    assert "labels/identification" not in slices
    assert yaml.safe_load(slices["verify/identification"]) == {
        "task": "identification", "bootstrap": 7, "confidence": 0.95, "seed": 0, "min_patients": 5,
        "config": project.verifications["identification"].model_dump() | {"sources": list(project.sources)},
    }  # fmt: skip


def test_a_verification_with_a_mistake_is_told_as_such(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "tasks" / "who.yaml"
    path.parent.mkdir()
    path.write_text("kind: verification\nlabels: {}\nmax_pair: 0\n")
    with pytest.raises(UserError) as found:
        load_task(path)
    assert str(found.value).splitlines() == [
        f"{path}: labels: unknown key", f"{path}: max_pair: unknown key; did you mean 'max_pairs'?"
    ]  # fmt: skip
