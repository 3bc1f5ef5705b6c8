"""`judge doctor`: what is installed, which keys are set, what works and what does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

import typer

from judge.cli.common import Json, print_json
from judge.workspace import find_workspace, packaged_data

KEYS = {
    "OPENAI_API_KEY": "openai/...",
    "ANTHROPIC_API_KEY": "anthropic/...",
    "GEMINI_API_KEY": "gemini/...",
    "AZURE_API_KEY": "azure/...",
    "MISTRAL_API_KEY": "mistral/...",
    "OPENROUTER_API_KEY": "openrouter/...",
    "TOGETHERAI_API_KEY": "together_ai/...",
    "XAI_API_KEY": "xai/...",
}
REQUIRED = (
    "instructor", "litellm", "pydantic", "numpy", "krippendorff", "msgspec", "orjson", "zlib_ng", "zstandard",
)  # fmt: skip
OPTIONAL = {
    "pyarrow": ("parquet files", "parquet"),
    "psycopg": ("a ledger on PostgreSQL", "postgres"),
    "ray": ("grading on a cluster", "cluster"),
}  # what for, and under which name it is installed with the package
KEYLESS = "baseline/cues, replay/FILE, and any OpenAI-compatible server with --api-base"
BAD_LITELLM = ("1.82.7", "1.82.8")


def doctor(json: Json = False) -> None:
    """Say what is installed, which keys are set (never their values), what works and what does not. Ends with 1 on a problem.

    Example: judge doctor
    """
    problems = list(_problems())
    report = {
        "judge": _version("transcript-judge"),
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in (*REQUIRED, *OPTIONAL)},
        "keys": {name: bool(os.environ.get(name)) for name in KEYS},
        "workspace": str(find_workspace() or "") or None,
        "data": str(packaged_data()),
        "works": _working(),
        "lacking": list(_lacking()),
        "problems": problems,
    }
    if json:
        print_json(report)
    else:
        _print(report, problems)
    if problems:
        raise typer.Exit(1)


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _working() -> list[str]:
    """What can be done with what is here; whether a provider takes a key is not tried."""
    from importlib.util import find_spec

    judges = [models for name, models in KEYS.items() if os.environ.get(name)]
    uses = [use for name, (use, _) in OPTIONAL.items() if find_spec(name)]
    return [f"judges: {', '.join([*judges, KEYLESS])}", *uses]


def _lacking() -> Iterator[str]:
    """What cannot be done, and what would change that."""
    from importlib.util import find_spec

    if absent := {name: models for name, models in KEYS.items() if not os.environ.get(name)}:
        none = "no key is set" if len(absent) == len(KEYS) else "their keys are not set"
        yield f"judges {', '.join(absent.values())}: {none}; export {' or '.join(absent)}"
    for name, (use, extra) in OPTIONAL.items():
        if not find_spec(name):
            yield f"{use}: {name} is not installed; pip install 'transcript-judge[{extra}]'"


def _problems() -> list[str]:
    from importlib.util import find_spec

    problems = [f"{name} is not installed: pip install transcript-judge" for name in REQUIRED if not find_spec(name)]
    if _version("litellm") in BAD_LITELLM:
        problems.append("this litellm release was malicious: rotate every key this machine held, then reinstall")
    problems += [
        f"the packaged {name}/ folder is missing: reinstall"
        for name in ("rubrics", "gold", "calibration")
        if not (packaged_data() / name).is_dir()
    ]
    return problems


def _print(report: Mapping[str, object], problems: list[str]) -> None:
    print(f"judge {report['judge']}, Python {report['python']}, workspace {report['workspace'] or 'none here'}")
    print("\nPackages")
    for name in REQUIRED:
        print(f"  {name:<14}{_version(name) or 'MISSING'}")
    for name, (use, _) in OPTIONAL.items():
        print(f"  {name:<14}{_version(name) or f'not installed; needed for {use}'}")
    print("\nKeys (values are never read out)")
    for name, models in KEYS.items():
        print(f"  {name:<20}{'set' if os.environ.get(name) else '-':<6}{models}")
    print(f"  without a key: {KEYLESS}\n")
    for problem in problems:
        print(f"PROBLEM: {problem}")
    if not problems:
        print(f"Works: {'; '.join(_working())}")
    for lack in _lacking():
        print(f"Does not work: {lack}")
