"""The replay bundle: one verdict with everything it stands on, in a file that can be checked offline without the ledger.

A zip file without compression, always the same bytes for the same content:

    manifest.json      what is in it: SHA-256 of every other member, the ledger it is from and where its chain ended
    manifest.sha256    SHA-256 of the manifest
    transcript.json    what the judge could see, in our own form
    rubric.json        the rubric, every field
    prompt.json        what a model judge is asked, under a boundary of the bundle's own
    entries.jsonl      the entries of the ledger: verdict, calls, disputes, reviews, decisions, each with its link

Here is the container and the chain. What the members mean to each other (quotes, the decision) is `judge.grading.bundling`.
Whoever rewrites a whole bundle can make it consistent again: what catches that is the ledger itself, or a head noted
elsewhere.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Literal

import orjson
from pydantic import Field, ValidationError

from judge.canonical import canonical_json, sha256_hex
from judge.errors import InputError, IntegrityError
from judge.frozen import Frozen
from judge.ledger.chain import genesis, link
from judge.ledger.decisions import DECISION, DISPUTE, REVIEW, read_matters
from judge.ledger.entry import CALL, VERDICT
from judge.ledger.store import Ledger, Row
from judge.text import one_line, quoted

SCHEMA: Final = "judge.bundle/1"
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
TRANSCRIPT, RUBRIC, PROMPT, ENTRIES = "transcript.json", "rubric.json", "prompt.json", "entries.jsonl"
REQUIRED: Final = (MANIFEST, SEAL, TRANSCRIPT, RUBRIC, ENTRIES)
_ORDER: Final = (MANIFEST, SEAL, TRANSCRIPT, RUBRIC, PROMPT, ENTRIES)
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_LOCAL, _END = b"PK\x03\x04", b"PK\x05\x06"
_MEMBER_BYTES: Final = 1 << 30
# What the zipfile module raises on bytes that somebody changed.
_BROKEN: Final = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    zlib.error,
)


class Bound(Frozen):
    """An entry of a ledger with its link: `sha256` covers `previous`, number, kind, key and body."""

    seq: int = Field(ge=1)
    previous: str = Field(pattern=r"^[0-9a-f]{64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    kind: str
    key: str
    body: str  # the canonical JSON that was hashed


class Origin(Frozen):
    """The ledger that a bundle is from, and where its chain ended then."""

    meta: dict[str, str]
    rows: int
    head: str


class Manifest(Frozen):
    """What a bundle holds."""

    schema_: Literal["judge.bundle/1"] = Field(default=SCHEMA, alias="schema")
    verdict_id: str
    transcript_sha256: str  # of what a judge can see
    rubric_sha256: str
    prompt_sha256: str | None = None  # of the prompt template that `prompt.json` was rendered by
    ledger: Origin
    files: dict[str, str]
    made_with: dict[str, str]


class Bundle(Frozen):
    """An opened bundle whose hashes and links hold."""

    manifest: Manifest
    members: dict[str, bytes]
    entries: tuple[Bound, ...]

    def of(self, kind: str) -> list[Bound]:
        """Its entries of one kind, in the order of the ledger."""
        return [one for one in self.entries if one.kind == kind]


def take_entries(book: Ledger, verdict_id: str, votes: Collection[str] = ()) -> list[Bound]:
    """Take from a ledger the entries about a verdict: its calls, every row of it, disputes with reviews and decisions.

    `votes` are the verdicts that a panel's verdict was made of: their rows and calls belong to it.
    """
    keys = {name for name, one in read_matters(book).items() if one.dispute.verdict_id == verdict_id}
    made_of = {verdict_id, *votes}
    rows = [
        *(row for row in book.rows(kind=CALL) if row.key.partition("/")[0] in made_of),
        *(row for name in made_of for row in book.rows(kind=VERDICT, key=name)),
        *(row for kind in (DISPUTE, REVIEW, DECISION) for key in keys for row in book.rows(kind=kind, key=key)),
    ]
    return [_bind(book, row) for row in sorted(rows, key=lambda row: row.seq)]


def pack(manifest: Manifest, members: Mapping[str, bytes]) -> bytes:
    """Put a bundle together; `manifest.files` is filled in here."""
    files = {name: sha256_hex(data) for name, data in sorted(members.items())}
    told = canonical_json(manifest.model_copy(update={"files": files}).model_dump(mode="json", by_alias=True)) + b"\n"
    return _zip({MANIFEST: told, SEAL: sha256_hex(told).encode() + b"\n", **members})


def unpack(data: bytes, where: str) -> Bundle:
    """Open a bundle and check everything about it that needs no other module: container, hashes, links.

    Raises:
        InputError: if the file is no bundle.
        IntegrityError: if a byte of it was changed, naming the member or entry.
    """
    members = _unzip(data, where)
    if _zip(members) != data:
        raise IntegrityError(f"{where}: the container was changed around its members, which are as they were")
    told = members[MANIFEST]
    if members[SEAL] != sha256_hex(told).encode() + b"\n":
        raise IntegrityError(f"{where}: {MANIFEST} or {SEAL} was changed: the hash of the one is not in the other")
    try:
        manifest = Manifest.model_validate_json(told)
        entries = tuple(Bound.model_validate_json(line) for line in members[ENTRIES].splitlines())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise IntegrityError(
            f"{where}: not a bundle of this version: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None
    for name in sorted({*manifest.files, *members} - {MANIFEST, SEAL}):
        if sha256_hex(members.get(name, b"")) != manifest.files.get(name):
            raise IntegrityError(f"{where}: {name} was changed, added or removed: its hash is not the manifest's")
    _check_links(entries, manifest.ledger, where)
    return Bundle(manifest=manifest, members=members, entries=entries)


def check_against(bundle: Bundle, book: Ledger, where: str) -> None:
    """See that a ledger holds every entry of a bundle.

    Raises:
        IntegrityError: naming the first entry that the ledger does not have, or has otherwise.
    """
    for one in bundle.entries:
        if one.sha256 not in {row.sha256.hex() for row in book.rows(kind=one.kind, key=one.key) if row.seq == one.seq}:
            raise IntegrityError(f"{where}: entry {one.seq} ({one.kind} {quoted(one.key)}) is not in {book.where}")


def _bind(book: Ledger, row: Row) -> Bound:
    return Bound(
        seq=row.seq,
        previous=book.hash_at(row.seq - 1).hex(),
        sha256=row.sha256.hex(),
        kind=row.kind,
        key=row.key,
        body=row.body.decode(),
    )


def encode_entries(entries: Iterable[Bound]) -> bytes:
    """Return the member that holds them."""
    return b"".join(canonical_json(one.model_dump(mode="json")) + b"\n" for one in entries)


def _check_links(entries: Sequence[Bound], origin: Origin, where: str) -> None:
    last: Bound | None = None
    for one in entries:
        place = f"{where}: entry {one.seq} ({one.kind} {quoted(one.key)})"
        if link(bytes.fromhex(one.previous), one.seq, one.kind, one.key, one.body.encode()).hex() != one.sha256:
            raise IntegrityError(f"{place}: its content does not give its hash")
        if one.seq == 1 and one.previous != genesis(origin.meta).hex():
            raise IntegrityError(f"{place}: does not continue from the ledger's own description")
        if last is not None and one.seq <= last.seq:
            raise IntegrityError(f"{place}: stands out of order")
        if last is not None and one.seq == last.seq + 1 and one.previous != last.sha256:
            raise IntegrityError(f"{place}: does not continue from the entry before it")
        last = one
    if last is not None and (last.seq > origin.rows or (last.seq == origin.rows and last.sha256 != origin.head)):
        raise IntegrityError(f"{where}: entry {last.seq} does not go with the head that the manifest names")


def _zip(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3  # the same on every system
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name])
    return out.getvalue()


def _unzip(data: bytes, where: str) -> dict[str, bytes]:
    if not data.startswith(_LOCAL) and _END not in data[-(1 << 16) :]:
        raise InputError(
            f"{where}: not a bundle; make one with: judge show ID --bundle FILE.zip; a ledger is checked with: "
            "judge ledger verify --ledger PATH"
        )
    name = "the container"
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members: dict[str, bytes] = {}
            for info in archive.infolist():
                name = quoted(info.filename)
                if info.file_size > _MEMBER_BYTES or info.compress_type != zipfile.ZIP_STORED:
                    raise IntegrityError(f"{where}: {name} is not as a bundle holds it")
                members[info.filename] = archive.read(info)
    except _BROKEN as error:
        raise IntegrityError(f"{where}: {name} was changed: {one_line(str(error), 120)}") from None
    if missing := [one for one in REQUIRED if one not in members]:
        raise IntegrityError(f"{where}: {missing[0]} is missing, or was renamed")
    return members


def read_json(data: bytes, where: str) -> object:
    """Parse a member.

    Raises:
        IntegrityError: if it is not JSON.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise IntegrityError(f"{where}: not JSON: {error}") from None
