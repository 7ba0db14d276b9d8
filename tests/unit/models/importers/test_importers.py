"""Foreign checkpoints as folders of ours: labels, and what is not laid beside another."""

import pytest

from ecglfm import load_model
from ecglfm.cli import main
from ecglfm.config import (
    UserError,
)
from ecglfm.models.importers import import_checkpoint
from tests.unit.models.importers.original import saved


def test_labels(finetuned, tmp_path):
    path, labels = saved(tmp_path / "a.pt", finetuned), tmp_path / "label_def.csv"
    import_checkpoint(path, tmp_path / "out")
    model = load_model(tmp_path / "out")
    assert model.label_names == ["label_0", "label_1", "label_2"]
    assert model.head.weight.flatten().tolist() == list(range(48))
    labels.write_text("index,name\n0,MI\n1, CD \n2,NO\n")
    import_checkpoint(path, tmp_path / "out", labels)
    assert load_model(tmp_path / "out").label_names == ["MI", "CD", "NO"]
    for text, message in [
        ("name\nMI\nCD\n", "names 2 labels below its header, but .* has 3 outputs"),
        ("name\nMI\nCD\nMI\n", "every label needs a name of its own"),
        ("name,x\nMI,1\n,2\nCD,3\n", "every label needs a name of its own"),
        ("", "names 0 labels"),
    ]:
        labels.write_text(text)
        with pytest.raises(UserError, match=message):
            import_checkpoint(path, tmp_path / "out", labels)
    with pytest.raises(UserError, match="no such file"):
        import_checkpoint(path, tmp_path / "out", tmp_path / "none.csv")


def test_a_pretrained_one_has_no_labels(theirs, tmp_path):
    path = saved(tmp_path / "a.pt", theirs)
    with pytest.raises(UserError, match="is a pretrained encoder, it has no labels"):
        import_checkpoint(path, tmp_path / "out", tmp_path / "label_def.csv")
    import_checkpoint(path, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "encoder.json", "encoder.safetensors", "encoder.yaml",
    ]  # fmt: skip


def test_an_encoder_is_not_laid_beside_the_model_of_another(theirs, finetuned, tmp_path):
    import_checkpoint(saved(tmp_path / "a.pt", finetuned), tmp_path / "out")
    import_checkpoint(saved(tmp_path / "a.pt", finetuned), tmp_path / "out")  # the same again is fine
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(UserError, match="out: holds a model, to which this encoder does not belong; give another"):
        import_checkpoint(saved(tmp_path / "b.pt", theirs), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_the_command_says_what_it_took(finetuned, tmp_path, capsys):
    path = saved(tmp_path / "a.pt", finetuned)
    assert main(["import-checkpoint", str(path), "--output", str(tmp_path / "out")]) == 0
    output = capsys.readouterr().out
    assert "ECG-LFM, fine-tuned: 2 layers of width 16" in output
    assert "encoder.conv_pos.pos_conv.0.bias" in output
    assert load_model(tmp_path / "out").label_names[2] == "label_2"
    path.write_bytes(b"x")
    assert main(["import-checkpoint", str(path), "--output", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith(f"ecglfm import-checkpoint: error: {path}: not a readable")
