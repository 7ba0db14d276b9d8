"""The mistakes that a newcomer makes most, each tried: one line that says what is wrong, where, and what to do next."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from ecglfm.cli import main
from ecglfm.config import Project, UserError
from tests.unit.app.prediction.test_predict import make_model, write_wfdb
from tests.unit.config.projects import BASE

CONFIG = "sources: [demo-ptbxl]\nencoders: [tiny]\ntasks: [coin-toss]\n"
TASK = "tasks/coin-toss.yaml"

#: What is added to the config (or written instead of another file of the folder), and words of the one line.
IN_THE_CONFIG = [
    ("config.yaml", "finetune:\n\tlr: 1\n", "config.yaml:5: not valid YAML: a tab; indent with spaces"),
    ("config.yaml", "results:mine\n", "config.yaml:4: not valid YAML: no `key: value` here; a space belongs behind the colon"),
    ("config.yaml", "tasks: [af]\n", "config.yaml:4: not valid YAML: key 'tasks' stands twice"),
    ("config.yaml", "encoder: [tiny]\n", "encoder: unknown key; did you mean 'encoders'?"),
    ("config.yaml", "finetune: {learning_rate: 1}\n", "finetune.learning_rate: unknown key; there are modes, seeds,"),
    ("config.yaml", "evaluate: {calibration: none}\n", "is now `finetune.calibration`; `ecglfm config migrate "),
    ("config.yaml", "version: 99\n", "version: 99 is newer than this ecglfm"),
    ("config.yaml", "finetune: {epochs: many}\n", "finetune.epochs: Input should be a valid integer"),
    ("config.yaml", "finetune: {lr: '0,001'}\n", "found '0,001'; write the number alone: a point before decimals, no unit"),
    ("config.yaml", "preprocess: {sampling_rate: 500 Hz}\n", "found '500 Hz'; write the number alone"),
    ("config.yaml", "preprocess: {sampling_rate: 5}\n", "sampling_rate: Input should be greater than or equal to 50, found 5"),
    ("config.yaml", "preprocess: {leads: [V7]}\n", "each lead once, out of I II III aVR aVL aVF V1 V2 V3 V4 V5 V6; wrong here: ['V7']"),
    ("config.yaml", "finetune: {modes: [finetune]}\n", "finetune.modes.0: Input should be 'full', 'frozen', 'linear', 'lora' or 'zero_shot'"),
    ("config.yaml", "finetune:\n", "finetune: is a section: write its keys below it, indented, or leave it out"),
    ("config.yaml", "roots: {ptbxl: /x}\n", "`roots` names 'ptbxl', which is not in sources ['demo-ptbxl']"),
    ("config.yaml", "results: 'r{x}'\n", "'{' in the folder's name means something else to Snakemake; choose another name"),
    ("config.yaml", "manifest: {valid_fraction: 20}\n", "manifest.valid_fraction: Input should be less than 1, found 20"),
    ("config.yaml", "manifest: {valid_fraction: 0.6, test_fraction: 0.5}\n", "valid_fraction + test_fraction leave nothing to train on"),
    ("config.yaml", "manifest: {folds: {demo-ptbxl: {train: [1], valid: [1], test: [2]}}}\n", "manifest.folds.demo-ptbxl: fold 1 stands twice"),
    ("config.yaml", "model: nowhere\n", "model: nowhere holds no model.json; give a folder that `finetune` wrote"),
    ("sources/demo-ptbxl.yaml", "kind: wfbd\nroot: x\n", "`kind: wfbd` is not one of ptbxl,"),
    ("encoders/tiny.yaml", "weights: import\n", "tiny.yaml: `weights: import` needs `path:`"),
    ("encoders/tiny.yaml", "weights: import\npath: nowhere\n", "nowhere holds no encoder.json; give a folder that `pretrain` or"),
    (TASK, "kind: multi-label\nlabels: {AF: {ptbxl: {scp: [AFIB]}}}\n", "kind: Input should be 'binary', 'multilabel',"),
    (TASK, "kind: binary\n", "coin-toss.yaml: labels: this key is required"),
    (TASK, "kind: binary\nlabels: {AF: {ptbxl: {scpp: [AFIB]}}}\n", "labels.AF.ptbxl.scpp: unknown key; did you mean 'scp'?"),
    (TASK, "kind: binary\nlabels: {AF: {demo-ptbxl: {scp: [AFIB]}}}\n", "labels.AF: 'demo-ptbxl' is a source; selectors stand under its kind: write 'ptbxl'"),
    (TASK, "kind: binary\nlabels: {AF: {ptb_xl: {scp: [AFIB]}}}\n", "coin-toss.yaml: labels.AF: 'ptb_xl' is no kind of source; did you mean 'ptbxl'?"),
    (TASK, "kind: binary\nlabels: {AF: {ludb: {column: {a: [b]}}}}\n", "labels.AF: no selector for the kinds of its sources (ptbxl); add one, or change"),
    (TASK, "kind: binary\nlabels: {AF: {ptbxl: {scp: AFIB}}}\n", "labels.AF.ptbxl.scp: a list belongs here: [AFIB]"),
    (TASK, "kind: binary\nlabels: {AF: {ptbxl: {column: {sex: '1'}}}}\n", "column.sex: a list belongs here: ['1']"),
]  # fmt: skip

#: Text of the config that stands instead of other text, and words of the one line.
NAMES = [
    ("demo-ptbxl", "demo-ptbx", "wfdb-example; did you mean 'demo-ptbxl'?"),
    ("tiny", "tinny", "xresnet1d101; did you mean 'tiny'?"),
    ("coin-toss", "cointoss", "sex; did you mean 'coin-toss'?"),
    ("tiny", "tiny.yaml", "encoders.0: a name is the file's, without folder and `.yaml`"),
    ("[demo-ptbxl]", "demo-ptbxl", "config.yaml: sources: a list belongs here: [demo-ptbxl]"),
    ("sources: [demo-ptbxl]\n", "", "config.yaml: sources: this key is required"),
    ("coin-toss", "ptbxl-all", "'ptbxl' is not in config.yaml's sources: demo-ptbxl; add it there, choose others in config.yaml's `tasks`"),
    ("coin-toss", "false", "tasks.0: YAML reads an unquoted yes/no/on/off as true/false; put it in quotes"),
    ("[tiny]", "[tiny, tiny]", "`encoders` names one twice: ['tiny', 'tiny']; name each once"),
    (CONFIG, "- a\n", "config.yaml: expected `key: value` lines, found list"),
]  # fmt: skip

#: A command as it is typed (its places in braces), its status, and words of its last line.
COMMANDS = [
    ("predit", 2, "invalid choice: 'predit' (choose from"),
    ("config --folder {none}", 1, "none/config.yaml: no such file"),
    ("config --folder {none} migrate", 1, "none/: no *.yaml in it; name the files, or the folder with --folder"),
    ("predict --model {encoder} {ecg} --output {new}.csv", 1, "what lies here is the encoder, not the model"),
    ("predict --model {none} {ecg} --output {new}.csv", 1, "give the folder that holds model.json and model.safetensors"),
    ("predict --model {model} {none} --output {new}.csv", 1, "none: no such file or folder, nor a WFDB record of that name"),
    ("predict --model {model} {encoder}/../table/scp_statements.csv --output {new}.csv", 1, "a table, no recording: name the recordings'"),
    ("predict --model {model} --output {new}.csv", 1, "name files or folders, or a database with --source YAML"),
    ("predict --model {model} {ecg} --output {new}.xlsx", 1, "the ending says the format; write one of *.csv,"),
    ("predict --model {model} {ecg} --output {file}/o.csv", 1, "this is a file where a folder belongs: choose another place"),
    ("embed --encoder {none} {ecg} --output {new}.csv", 1, "give the folder that holds encoder.json and encoder.safetensors"),
    ("explain --model {model} --label ZZ {ecg} --output {new}.png", 1, "--label ZZ: the model has AF, LBBB"),
    ("app --model {model} --port {port}", 1, "Address already in use; take another one, or 0 for any that is free"),
    ("app --model {model} --port 80a", 2, "argument --port: 80a is no port: 0 to 65535"),
    ("app --model {model} --port 99999", 2, "argument --port: 99999 is no port: 0 to 65535"),
    ("export --model {model} --output {new}", 1, "say --format with --output FILE, or --bundle FILE.zip"),
    ("export --model {model} --format pickle --output {new}", 2, "invalid choice: 'pickle' (choose from"),
    ("status", 1, "has no workflow/Snakefile: run this where you run snakemake"),
    ("tracking sync {none}", 1, "none: no such folder; name the one that the workflow fills"),
    ("index --config {gone} --output {new}", 1, "is not a folder; set `root` in config/sources/x.yaml or `roots: {{x: DIR}}`"),
    ("index --config {xml} --output {new}", 1, "no .xml file in it; is `root` the right folder?"),
    ("index --config {table} --output {new}", 1, "scp_statements.csv: column 'diagnostic' is missing; the file has: a, b"),
    ("index --config {project} --output {new}", 1, "unknown key; there are source, config, patients_of"),
]  # fmt: skip


def test_there_are_fifty() -> None:
    assert len(IN_THE_CONFIG) + len(NAMES) + len(COMMANDS) >= 50


@pytest.fixture(scope="module")
def shipped(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(repository / "config", tmp_path_factory.mktemp("project") / "config"))


def said_of(folder: Path, file: str, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `ecglfm config` says of a project with one file as given; the folder is as before afterwards."""
    (folder / "config.yaml").write_text(CONFIG)
    before = (folder / file).read_text()
    (folder / file).write_text(text)
    try:
        assert main(["config", "--folder", str(folder)]) == 1
    finally:
        (folder / file).write_text(before)
    return capsys.readouterr().err


@pytest.mark.parametrize(("file", "text", "words"), IN_THE_CONFIG)
def test_in_the_config(shipped: Path, file: str, text: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = said_of(shipped, file, CONFIG + text if file == "config.yaml" else text, capsys)
    assert words in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("old", "new", "words"), NAMES)
def test_in_its_names(shipped: Path, old: str, new: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = said_of(shipped, "config.yaml", CONFIG.replace(old, new), capsys)
    assert words in said
    assert len(said.splitlines()) == 1


def test_without_quotes_the_shell_splits_a_value(repository: Path) -> None:
    given = {"finetune": "{epochs:"}
    with pytest.raises(
        UserError, match=r"^--config: finetune: the shell has split it at its spaces: quote the whole, "
    ):
        Project(BASE | given, repository / "config", over=[("--config", given)])


@pytest.fixture(scope="module")
def places(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the commands name."""
    folder = tmp_path_factory.mktemp("places")
    for name in ("encoder", "xml", "table"):
        (folder / name).mkdir()
    (folder / "encoder/encoder.json").write_text("{}")
    (folder / "file").write_text("")
    for name in ("ptbxl_database.csv", "scp_statements.csv"):
        (folder / "table" / name).write_text("a,b\n")
    for name, kind in (("gone", "ptbxl"), ("xml", "muse_xml"), ("table", "ptbxl")):
        (folder / f"{name}.yaml").write_text(f"source: x\nconfig: {{kind: {kind}, root: '{folder / name}'}}\n")
    slices = {name: f"{folder / name}.yaml" for name in ("gone", "xml", "table")}
    own = {name: str(folder / name) for name in ("none", "new", "encoder", "file")}
    recording, model = str(write_wfdb(folder / "ecgs", "a")), str(make_model(folder / "model"))
    return own | slices | {"ecg": recording, "model": model, "project": str(repository / "config/config.yaml")}


@pytest.mark.parametrize(("command", "status", "words"), COMMANDS)
def test_at_the_command_line(
    places: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        filled = command.format(**places, port=taken.getsockname()[1]).split(" ")
        try:
            found = main(filled)
        except SystemExit as ended:  # of argparse
            found = ended.code
    assert found == status
    lines = capsys.readouterr().err.splitlines()
    assert words.replace("{{", "{").replace("}}", "}") in lines[-1]
    assert not list(Path(places["new"]).parent.glob("new*"))
