"""`ecglfm config`: check the project's config, lift it to the current version, or write its generated documentation."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.config.wording import counted


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    parser = commands.add_parser("config", help="check config/ or regenerate its schema and pages")
    parser.add_argument("--folder", type=Path, default=Path("config"), help="folder of config.yaml (default: config)")
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="write schema.json into the folder, and the pages of docs/config beside it",
    )
    parser.set_defaults(run=_config)
    actions = parser.add_subparsers(metavar="migrate")
    migrate = actions.add_parser("migrate", help="give renamed keys of config files their present names")
    migrate.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="project, recipe, encoder, … (default: all of --folder)"
    )
    migrate.add_argument("--check", action="store_true", help="only say what would change; status 1 if anything would")
    migrate.set_defaults(run=_migrate)


def _config(args: argparse.Namespace) -> None:
    from ecglfm.config import Project, read_yaml
    from ecglfm.config.documentation import pages, schema
    from ecglfm.provenance import write_text

    if args.write_docs:
        write_text(args.folder / "schema.json", schema())
        for name, text in pages().items():
            write_text(args.folder.parent / "docs/config" / name, text)
        return
    project = Project(read_yaml(args.folder / "config.yaml"), args.folder)
    config = project.config
    counts = {"source": len(project.sources), "encoder": len(project.encoders), "task": len(config.tasks)}
    parts = [*(counted(number, one) for one, number in counts.items()), counted(len(project.fits), "fit")]
    print(f"{args.folder}: sound; {', '.join(parts)} each")


def _migrate(args: argparse.Namespace) -> int:
    from ecglfm.config import UserError, read_yaml
    from ecglfm.config.migration import migrate
    from ecglfm.provenance import write_text

    files = args.files or sorted(args.folder.rglob("*.yaml"))
    if not files:
        raise UserError(f"{args.folder}/: no *.yaml in it; name the files, or the folder with --folder")
    for path in files:  # all are looked at before one is written
        read_yaml(path)
    lifted = {path: migrate(path.read_bytes().decode(), path) for path in files}
    changed = {path: found for path, found in lifted.items() if found.changes}
    for path, found in changed.items():
        if not args.check:
            write_text(path, found.text)
        for change in found.changes:
            print(f"{path}: {change}")
    if not changed:
        print("nothing to do: every key has its present name")
    return int(args.check and bool(changed))
