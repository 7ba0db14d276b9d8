"""`ecglfm config`: check the project's config, or write its generated documentation."""

from __future__ import annotations

import argparse
from pathlib import Path


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
    print(f"{args.folder}: sound; {len(project.sources)} sources, {len(project.encoders)} encoders, "
          f"{len(project.config.tasks)} tasks, {len(project.fits)} fits each")  # fmt: skip
