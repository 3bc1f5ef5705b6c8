"""Peers to be timed against: a Python of their own with other people's packages in it, made when it is first asked for.

They never enter our lock or our environment: each set of pinned requirements gets a virtual environment under `.bench/`,
which git ignores. Where none can be made (no network, no index), the reason is printed and the benchmark goes on without.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
BENCH: Final = ROOT / ".bench"
INSPECT: Final = "inspect-ai==0.3.285"
SCOUT: Final = "inspect-scout==0.6.1"
HARBOR: Final = "harbor==0.24.0"  # needs Python 3.12
FIXTURE_LIBRARIES: Final = (INSPECT, "pydantic-ai-slim==2.68.0", "langchain-core==1.7.2")
PATIENCE_S: Final = 900


def peer_python(*requirements: str, version: str | None = None, install: bool = True) -> Path | None:
    """Return the interpreter of an environment that holds exactly these pinned requirements; None if none can be made.

    Each requirement is `name==version`, so that a figure can be measured again. The environment is kept and reused.
    `version` asks for another Python than ours ("3.12"); without `install`, only what is there already is returned.

    Raises:
        ValueError: for a requirement that is not pinned.
    """
    wanted = sorted(requirements)
    if loose := [one for one in wanted if "==" not in one]:
        raise ValueError(f"not pinned to a version: {', '.join(loose)}")
    name = hashlib.sha256("\n".join([version or sys.version, *wanted]).encode()).hexdigest()[:12]
    folder = BENCH / name
    python = folder / "bin" / "python"
    done = folder / "installed.txt"  # written last: an installation that was broken off is made again
    if done.exists() and python.exists():
        return python
    if not install:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    BENCH.mkdir(exist_ok=True)
    print(f"  installing {', '.join(wanted)} into .bench/{name}", file=sys.stderr, flush=True)
    for step in _steps(folder, python, wanted, version):
        if reason := _fails(step):
            print(f"  peers left out: {' '.join(step[:3])} ... failed: {reason}", flush=True)
            return None
    done.write_text("\n".join(wanted) + "\n")
    return python


def _steps(folder: Path, python: Path, wanted: list[str], version: str | None) -> list[list[str]]:
    """The commands that make an environment: uv's where it is installed, the standard library's and pip's otherwise."""
    if uv := shutil.which("uv"):
        make = [uv, "venv", "--quiet", "--python", version or sys.executable, str(folder)]
        return [make, [uv, "pip", "install", "--quiet", "--python", str(python), *wanted]]
    return [
        [f"python{version}" if version else sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--no-input", *wanted],
    ]


def _fails(command: list[str]) -> str | None:
    """Run a command; the last line of what it complained about, or None when it went well."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)[:200]
    complaint = done.stderr.strip().splitlines() or ["no reason given"]
    return complaint[-1][:200] if done.returncode else None


def main() -> None:
    """Make every environment that a benchmark or a test can use, and say where each is."""
    for requirements, version in (((INSPECT, SCOUT), None), (FIXTURE_LIBRARIES, None), ((HARBOR,), "3.12")):
        python = peer_python(*requirements, version=version)
        print(f"  {', '.join(requirements)}: {python.relative_to(ROOT) if python else 'not there'}")


if __name__ == "__main__":
    main()
