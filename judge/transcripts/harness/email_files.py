"""E-mail: single messages (EML) and mailboxes (mbox). A mail is a document with a sender, never a chat role.

Nobody in a mailbox is the target: such transcripts serve as context, or for rubrics about what was sent. Attachments are
named and hashed, never opened.
"""

from __future__ import annotations

import email
import email.errors
import email.header
import email.message
import email.utils
import re
from collections.abc import Iterator
from typing import Final

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import Draft
from judge.transcripts.model import Transcript
from judge.transcripts.parts import Piece, attachment, text
from judge.transcripts.pointing import place_bytes
from judge.transcripts.source import Opened, Record, Unreadable, unfinished_line

NAME = "email"
_HEADERS: Final = re.compile(r"\A(?:From [^\n]*\n)?(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}")
_KNOWN: Final = re.compile(
    r"^(From|To|Subject|Date|Message-ID|MIME-Version|Received|Return-Path|Delivered-To):", re.MULTILINE | re.I
)
_MBOX: Final = re.compile(rb"^From [^\n]*\d{4}\s*$", re.MULTILINE)
_SHOWN: Final = ("From", "To", "Cc", "Date", "Subject")


def sniff(probe: Probe) -> Match | None:
    """By a head of mail headers."""
    head = probe.text.replace("\r\n", "\n")
    found = _HEADERS.match(head)
    if not found:
        return None
    known = {name.lower() for name in _KNOWN.findall(found[0])}
    return Match(0.9, "mbox" if head.startswith("From ") else "eml") if "from" in known and len(known) >= 3 else None


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per file."""
    yield Record(opened, None, warnings=unfinished_line(opened.raw))


def transcribe(record: Record) -> Transcript:
    """Return the mails of a file, in order."""
    raw = record.opened.raw
    draft = Draft(record, NAME)
    for start, end in _spans(raw):
        body = raw[start:end]
        at = place_bytes(body, start, end)
        try:
            mail = email.message_from_bytes(body)
            pieces = [text(_head(mail)), *_pieces(mail)]
            sender = email.utils.parseaddr(_header(mail, "From"))[1] or _header(mail, "From")
        except (RecursionError, email.errors.MessageError, LookupError, ValueError) as error:
            where = quoted(record.opened.uri, 400)
            raise InputError(f"{where}, byte {start}: a mail that cannot be read ({type(error).__name__}).") from None
        addressee = email.utils.parseaddr(_header(mail, "To"))[1]
        draft.say("event", pieces, at=at, author=sender or "unknown sender", origin="unknown", to=addressee or None)
    return draft.finish()


def _spans(raw: bytes) -> list[tuple[int, int]]:
    """Where each mail of a mailbox begins and ends; a file that is no mailbox is one mail."""
    if not raw.startswith(b"From "):
        return [(0, len(raw))]
    starts = [
        found.start()
        for found in _MBOX.finditer(raw)
        if found.start() == 0 or raw[found.start() - 2 : found.start()] == b"\n\n"
    ]
    starts = starts or [0]
    return list(zip(starts, [*starts[1:], len(raw)], strict=True))


def _head(mail: email.message.Message) -> str:
    return "\n".join(f"{name}: {value}" for name in _SHOWN if (value := _header(mail, name)))


def _header(mail: email.message.Message, name: str) -> str:
    value = mail.get(name)
    if value is None:
        return ""
    words = []
    for part, charset in email.header.decode_header(str(value)):
        words.append(part if isinstance(part, str) else _decoded(part, charset))
    return " ".join("".join(words).split())


def _decoded(raw: bytes, charset: str | None) -> str:
    try:
        return raw.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # a charset that nobody knows
        return raw.decode("latin-1")


def _pieces(mail: email.message.Message) -> list[Piece]:
    """Plain text as it is; HTML only where a part has no plain text beside it; the rest as attachments."""
    parts = list(mail.walk())
    plain = any(part.get_content_type() == "text/plain" for part in parts if not part.is_multipart())
    pieces: list[Piece] = []
    for part in parts:
        if part is not mail and (inner := _head(part)):  # a mail inside the mail: who wrote it to whom
            pieces.append(text(inner))
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        raw = payload if isinstance(payload, bytes) else b""
        kind = part.get_content_type()
        name = part.get_filename()
        if kind.startswith("text/") and not name and (kind == "text/plain" or not plain):
            words = _decoded(raw, part.get_content_charset())
            if words.strip():
                pieces.append(text(words))
        else:
            pieces.append(attachment(kind, data=raw, name=name or ""))
    return pieces
