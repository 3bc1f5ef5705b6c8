"""Labels that are not committed yet, kept on the server so that a browser that dies loses at most the field being typed.

One file per rater and case, replaced whole; a draft is nobody's word and is dropped once a label is committed.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, ValidationError

from judge.audit.labelling import Selection, explain_form
from judge.errors import InputError
from judge.frozen import Frozen
from judge.ledger.verdict import Met


class Draft(Frozen):
    """What stands in a form that is not finished: any of its fields, none of them checked against the rubric yet."""

    level: str | None = Field(default=None, max_length=200)
    answers: dict[str, Met] = Field(default_factory=dict, max_length=200)
    severity: int | None = Field(default=None, ge=0, le=3)
    confidence: int | None = Field(default=None, ge=1, le=5)
    rationale: str = Field(default="", max_length=20_000)
    evidence: list[Selection] = Field(default_factory=list, max_length=50)
    seconds: float = Field(default=0, ge=0, le=86_400 * 7)


class Drafts:
    """The drafts of every rater, in a folder that no version control takes in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, rater: str, case: str, draft: Draft) -> None:
        """Keep a draft in the place of the last one; it is on disk when this returns.

        Raises:
            InputError: if it cannot be written.
        """
        path = self._path(rater, case)
        beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            (self._folder / ".gitignore").write_text("*\n")
            with beside.open("wb") as file:
                file.write(orjson.dumps(draft.model_dump(mode="json")))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise InputError(f"{path}: the draft cannot be kept: {error.strerror}") from None

    def load(self, rater: str, case: str) -> Draft | None:
        """Return the draft, or None if there is none or it is of another version."""
        try:
            return Draft.model_validate_json(self._path(rater, case).read_bytes())
        except (OSError, ValidationError):
            return None

    def drop(self, rater: str, case: str) -> None:
        """Remove a draft that has become a label."""
        self._path(rater, case).unlink(missing_ok=True)

    def _path(self, rater: str, case: str) -> Path:
        return self._folder / rater / f"{case}.json"


def read_draft(sent: Any) -> Draft:
    """Read what the form sent.

    Raises:
        InputError: naming the field, if it is none.
    """
    try:
        return Draft.model_validate(sent)
    except ValidationError as error:
        raise explain_form(error) from None
