"""`judge init`: a workspace, with the same three folders as the package's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from judge.cli.common import Json, print_json, say
from judge.errors import InputError
from judge.workspace import SETTINGS_FILE

SETTINGS = """\
# Settings of this workspace. Rubrics, gold and calibration files here come before the packaged ones.

[grade]
# rubrics = ["coercive-leverage", "deceiving-principals"]
# models = ["openai/gpt-5"]
# concurrency = 16
"""
FOLDERS = {
    "rubrics": "Your rubrics, one YAML file each. Start from a packaged one: judge rubrics copy coercive-leverage\n",
    "gold": "Transcripts with labels, one label file per rater: labels/<rater>.jsonl (judge gold import, judge gold add)\n",
    "calibration": "Protocols (written before results are seen), recorded verdicts and certificates.\n",
}


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make a workspace of.")],
    json: Json = False,
) -> None:
    """Make a workspace: judge.toml, rubrics/, gold/ and calibration/.

    Example: judge init my-evals
    """
    settings = directory / SETTINGS_FILE
    if settings.exists():
        raise InputError(f"{settings}: this is a workspace already; nothing was changed")
    try:
        for name, text in FOLDERS.items():
            (directory / name).mkdir(parents=True, exist_ok=True)
            readme = directory / name / "README.md"
            if not readme.exists():
                readme.write_text(text, encoding="utf-8")
        settings.write_text(SETTINGS, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{directory}: cannot be made a workspace: {error.strerror}") from None
    if json:
        print_json({"workspace": str(directory), "settings": str(settings)})
        return
    say(
        f"{directory} is a workspace; next: cd {directory} && judge grade TRANSCRIPTS -r coercive-leverage -m baseline/cues"
    )
