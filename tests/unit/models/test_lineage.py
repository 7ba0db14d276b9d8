"""What an encoder's weights were before: the newest first, with what makers of foreign ones say."""

from __future__ import annotations

from ecglfm.models.lineage import continued, licences, lineage, pretrained_on, told_before

FOREIGN = {
    "format": "ecglfm-encoder", "format_version": 1, "name": "st-mem", "weights": "import", "model": {"dim": 8},
    "imported": {"origin": "ST-MEM, pretrained", "file": "x.pth",
                 "licence": "CC BY-NC 4.0",
                 "pretrained_on": ["code15", "a database of an ecglfm to come"]},
}  # fmt: skip
OURS = {"name": "mid", "weights": "pretrain", "training": {"sources": ["a", "b"]}, "data_hash": "h"}


def test_what_is_kept_of_the_one_before() -> None:
    assert continued(FOREIGN, "f" * 64) == {
        "name": "st-mem", "weights": "import", "imported": FOREIGN["imported"], "sha256": "f" * 64,
    }  # fmt: skip


def test_the_newest_comes_first_and_the_oldest_is_told_last() -> None:
    middle = OURS | {"continues": continued(FOREIGN, "f" * 64)}
    newest = {"name": "new", "weights": "pretrain", "continues": continued(middle, "e" * 64)}
    assert [one["name"] for one in lineage(newest)] == ["new", "mid", "st-mem"]
    assert pretrained_on(newest) == pretrained_on(FOREIGN) == ["code15"]
    assert licences(newest) == licences(FOREIGN) == ["CC BY-NC 4.0"]
    assert told_before(newest) == (
        f"mid (weights: pretrain; trained on a, b; SHA-256 {12 * 'e'}), which began with st-mem (ST-MEM, pretrained"
        f"; licence CC BY-NC 4.0; trained on CODE-15 %; SHA-256 {12 * 'f'})"
    )
    assert (told_before(OURS), pretrained_on(OURS), licences(OURS), lineage(OURS)) == (None, [], [], [OURS])
