"""`judge rubrics`: the rubrics there are, what one asks, and which clauses they come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.common import Json, Workspace, print_json, say
from judge.errors import InputError

if TYPE_CHECKING:
    from judge.rubrics.model import Rubric

app = typer.Typer(
    help="What is judged: rubrics, the clauses they come from, and how good they are.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="A rubric's id, everyday name or file.")]
Names = Annotated[list[str] | None, typer.Argument(help="Rubrics or packs, by name or file; default: all.")]
ConstitutionFile = Annotated[
    Path | None, typer.Option("--constitution", metavar="FILE", help="A Markdown file with numbered clauses.")
]


@app.command("list")
def list_(workspace: Workspace = None, json: Json = False) -> None:
    """List every rubric that a name can find, with its source and hash, and the packs of rubrics.

    Example: judge rubrics list
    """
    from judge.rubrics.loading import list_packs, list_rubrics
    from judge.rubrics.presenting import describe_pack
    from judge.text import one_line
    from judge.workspace import resolve_workspace

    folder = resolve_workspace(workspace)
    listed = list_rubrics(folder)
    if json:
        print_json([item.model_dump(mode="json") for item in listed])
        return
    for item in listed:
        names = f"  ({', '.join(item.aliases)})" if item.aliases else ""
        head = f"{item.id:<26} v{item.version:<3} {item.sha256[:12]}  {item.source:<9}"
        print(f"{head} {one_line(item.title + names, 100)}")
    for pack in list_packs(folder):
        print(f"{pack.id:<26} {one_line(describe_pack(pack), 300)}")


@app.command()
def show(name: Name, workspace: Workspace = None, json: Json = False) -> None:
    """Show one rubric: question, criteria, what does not count, the rule, severity, the guideline; or what a pack holds.

    Example: judge rubrics show blackmail
    """
    from judge.rubrics.loading import find_pack, load_rubric
    from judge.rubrics.presenting import describe, describe_pack
    from judge.text import visible
    from judge.workspace import resolve_workspace

    folder = resolve_workspace(workspace)
    if pack := find_pack(name, folder):
        if json:
            print_json(pack.model_dump(mode="json", by_alias=True))
        else:
            print(visible(f"{pack.id}: {pack.title}\n{describe_pack(pack)}\nOne of them: judge rubrics show RUBRIC"))
        return
    rubric = load_rubric(name, folder)
    if json:
        hashes = {"sha256": rubric.sha256, "guideline_sha256": rubric.guideline_sha256}
        print_json(rubric.model_dump(mode="json") | hashes)
    else:
        print(visible(describe(rubric)))


@app.command()
def check(
    names: Names = None,
    constitution: ConstitutionFile = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODE", help="A fault not to report; may be repeated.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="List every fault that is looked for, and stop.")] = False,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Look for faults in rubrics: clauses, wording, rules, examples, neighbours. Ends with 1 if there are any.

    Example: judge rubrics check rubrics/ours.yaml
    """
    from judge.rubrics.annotations import load_annotations
    from judge.rubrics.constitution import load_constitution
    from judge.rubrics.lint import CODES, lint_rubrics
    from judge.rubrics.loading import known_ids
    from judge.text import counted, visible
    from judge.workspace import resolve_workspace

    if explain:
        if json:
            print_json(CODES)
        else:
            print("\n".join(f"{code}  {text}" for code, text in CODES.items()))
        return
    folder = resolve_workspace(workspace)
    paths = _paths(names, folder)
    findings = [
        finding
        for finding in lint_rubrics(
            paths,
            load_constitution(constitution, folder),
            known=known_ids(folder),
            annotations=[annotation.id for annotation in load_annotations(workspace=folder)],
        )
        if finding.code not in (ignore or [])
    ]
    if json:
        print_json([finding.model_dump() for finding in findings])
    else:
        for finding in findings:
            print(visible(str(finding)))
    faults = counted(len(findings), "fault") if findings else "no faults"
    say(f"{counted(len(paths), 'rubric')}, {faults}")
    if findings:
        raise typer.Exit(1)


@app.command()
def copy(
    name: Name,
    new_id: Annotated[str, typer.Argument(help="The id of the copy.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where to; default: the workspace's rubrics folder.")
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Copy a rubric so that it can be changed; the copy says what it was derived from.

    Example: judge rubrics copy blackmail our-blackmail
    """
    from judge.errors import InputError
    from judge.rubrics.loading import find_rubric
    from judge.rubrics.writing import copy_rubric
    from judge.strict_yaml import read_yaml
    from judge.workspace import resolve_workspace

    folder = resolve_workspace(workspace)
    if to is None and folder is None:
        raise InputError("there is no workspace here to copy into; make one with: judge init DIR, or give --to FILE")
    path = to or (folder or Path()) / "rubrics" / f"{new_id}.yaml"
    rubric = copy_rubric(read_yaml(find_rubric(name, folder)), new_id, path)
    if json:
        print_json({"path": str(path), "id": rubric.id, "sha256": rubric.sha256, "derived_from": rubric.derived_from})
    else:
        print(path)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="The version that labels and verdicts were given under.")],
    new: Annotated[str, typer.Argument(help="The version to come.")],
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Show what changed between two versions of a rubric, and which labels and certificates that makes stale.

    Example: judge rubrics diff old/coercive-leverage.yaml coercive-leverage
    """
    from judge.rubrics.difference import compare_rubrics, find_stale_files
    from judge.rubrics.loading import load_rubric
    from judge.rubrics.presenting import difference_table
    from judge.text import visible
    from judge.workspace import packaged_data, resolve_workspace

    folder = resolve_workspace(workspace)
    before = load_rubric(old, folder)
    difference = compare_rubrics(before, load_rubric(new, folder))
    stale = find_stale_files(before, difference, folder or packaged_data())
    if json:
        print_json(difference.model_dump(mode="json") | {"stale": stale.model_dump(mode="json")})
    else:
        print(visible(difference_table(difference, stale)))


@app.command()
def coverage(
    names: Names = None, constitution: ConstitutionFile = None, workspace: Workspace = None, json: Json = False
) -> None:
    """Cross the clauses of a constitution with the rubrics that cite them, and list what none cites.

    Example: judge rubrics coverage --constitution our-principles.md
    """
    from judge.rubrics.constitution import load_constitution
    from judge.rubrics.coverage import measure_coverage
    from judge.rubrics.presenting import coverage_table
    from judge.text import counted, visible
    from judge.workspace import resolve_workspace

    folder = resolve_workspace(workspace)
    principles = load_constitution(constitution, folder)
    found = measure_coverage(principles, _load(names, folder))
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        print(visible(coverage_table(principles, found)))
    if found.unknown:
        say(f"\n{counted(len(found.unknown), 'citation')} of clauses that {principles.name} does not have")
        raise typer.Exit(1)


@app.command()
def anchors(
    copy: Annotated[Path, typer.Argument(help="A Markdown copy of the published text.")],
    constitution: ConstitutionFile = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Compare the constitution's table of anchors with a copy of the text that it restates.

    Example: judge rubrics anchors published-constitution.md
    """
    from judge.errors import InputError
    from judge.rubrics.constitution import check_anchors, load_constitution
    from judge.text import one_line
    from judge.workspace import resolve_workspace

    try:
        text = copy.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"{copy}: cannot be read: {reason}; give a Markdown copy of the published text") from None
    checks = check_anchors(load_constitution(constitution, resolve_workspace(workspace)), text)
    if json:
        print_json([check.anchor.model_dump() | {"outcome": check.outcome, "now_at": check.now_at} for check in checks])
    else:
        for check in checks:
            place = f"{check.anchor.section} > ¶{check.anchor.paragraph}"
            now = f", now ¶{check.now_at}" if check.outcome == "moved" else ""
            print(f"{check.anchor.id:<8} {check.outcome + now:<16} {one_line(place, 120)}")
    if any(check.outcome != "found" for check in checks):
        raise typer.Exit(1)


def _load(names: list[str] | None, folder: Path | None) -> list[Rubric]:
    from judge.rubrics.loading import load_rubric

    return [load_rubric(path, folder) for path in _paths(names, folder)]


def _paths(names: list[str] | None, folder: Path | None) -> list[Path]:
    """The files that names, packs and folders stand for; every rubric there is without any."""
    from judge.rubrics.loading import find_rubrics, rubric_files

    return find_rubrics(names, folder) if names else rubric_files(folder)


@app.command()
def derive(
    clause: Annotated[str, typer.Option("--clause", metavar="ID", help="The clause to draft a rubric for.")],
    model: Annotated[str, typer.Option("-m", "--model", help="The model that drafts, as litellm names it.")],
    constitution: ConstitutionFile = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to; default: stdout.")] = None,
    api_base: Annotated[str | None, typer.Option(metavar="URL", help="Address of an OpenAI-compatible server.")] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Have a model draft a rubric for one clause; code checks its citations, and its faults are listed. Ends with 1 if any.

    Example: judge rubrics derive --clause H1 -m openai/gpt-5 --to rubrics/h1.yaml
    """
    import asyncio

    from judge.grading.judges import parse_judge
    from judge.grading.lanes.client import make_asker
    from judge.rubrics.annotations import load_annotations
    from judge.rubrics.constitution import load_constitution
    from judge.rubrics.drafting import draft_rubric
    from judge.rubrics.loading import known_ids
    from judge.text import counted
    from judge.workspace import resolve_workspace

    if to is not None and to.exists():
        raise InputError(f"{to}: is there already; name another file with --to")
    folder = resolve_workspace(workspace)
    draft = asyncio.run(
        draft_rubric(
            make_asker(parse_judge(model, api_base=api_base)),
            load_constitution(constitution, folder),
            clause,
            known=known_ids(folder),
            annotations=[annotation.id for annotation in load_annotations(workspace=folder)],
        )
    )
    if to is not None:
        to.write_text(draft.text, encoding="utf-8")
    if json:
        found = [{"code": finding.code, "text": finding.text} for finding in draft.findings]
        path = None if to is None else str(to)
        print_json({"clause": clause, "path": path, "attempts": draft.attempts, "findings": found, "text": draft.text})
    elif to is None:
        print(draft.text)
    for finding in draft.findings:
        say(f"{finding.code} {finding.text}", quiet=json)
    say(
        f"A draft, made in {counted(draft.attempts, 'attempt')}. Whether it asks the right question is for people to say.",
        quiet=json,
    )
    if draft.findings:
        raise typer.Exit(1)
