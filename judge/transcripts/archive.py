"""Zip archives in memory: members by name, with limits checked from the directory before a byte is expanded.

Reads stored, deflated and zstd (method 93) members, and an archive whose end is missing (a crashed or truncated run)
by walking its local headers. Never extracts to disk; a name with `..`, a drive or a root is refused by name, because
whoever wrote it meant harm. Archives inside archives are not opened.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from typing import Final

from zlib_ng import zlib_ng

from judge.errors import InputError
from judge.text import quoted
from judge.transcripts.limits import Limits, exceed

_LOCAL: Final = struct.Struct("<4s5HIIIHH")
_STORED, _DEFLATED, _ZSTD, _OLD_ZSTD = 0, 8, 93, 20
_RATIO_FLOOR: Final = 1024 * 1024  # a tiny member may compress as well as it likes
_SYMLINK: Final = 0o120000
_PORTION: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One member: where its compressed bytes stand, and what it claims to expand to (None: not said)."""

    name: str
    method: int
    start: int
    packed: int | None
    size: int | None
    crc: int | None


class Archive:
    """The members of one zip file, in the order in which they were written; of a repeated name the last counts."""

    def __init__(self, raw: bytes, uri: str, limits: Limits) -> None:
        self._raw = raw
        self._uri = uri
        self._limits = limits
        self.truncated = False
        self._members = self._directory()

    @property
    def names(self) -> list[str]:
        """Names of the members."""
        return list(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        """Return one member, expanded.

        Raises:
            InputError: when it is damaged, compressed in an unknown way, or over a limit.
        """
        member = self._members.get(name)
        if member is None:
            raise InputError(
                f"{quoted(self._uri, 400)}: no member {quoted(name)}; the archive has changed since it was read."
            )
        data = self._expand(member)
        if member.crc is not None and zlib_ng.crc32(data) != member.crc:
            raise InputError(f"{self._where(name)}: checksum mismatch; the member is damaged.")
        return data

    def _directory(self) -> dict[str, Member]:
        try:
            with zipfile.ZipFile(io.BytesIO(self._raw)) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, OSError, struct.error, NotImplementedError):
            return self._walk()
        if len(entries) > self._limits.members:
            raise exceed("members", len(entries), self._limits.members, quoted(self._uri, 400))
        members: dict[str, Member] = {}
        total = 0
        for entry in entries:
            if entry.is_dir():
                continue
            self._check_name(entry.filename, entry.external_attr >> 16)
            if entry.flag_bits & 1:
                raise InputError(f"{self._where(entry.filename)}: encrypted; decrypt it first.")
            self._check_size(entry.filename, entry.compress_size, entry.file_size)
            total += entry.file_size
            start = self._data_start(entry.header_offset, entry.filename)
            member = Member(
                entry.filename, entry.compress_type, start, entry.compress_size, entry.file_size, entry.CRC
            )  # fmt: skip
            members.pop(entry.filename, None)
            members[entry.filename] = member
        if total > self._limits.expanded_bytes:
            raise exceed("expanded_bytes", total, self._limits.expanded_bytes, quoted(self._uri, 400))
        return members

    def _walk(self) -> dict[str, Member]:
        """Find the members of an archive that has no directory, by their local headers."""
        self.truncated = True
        members: dict[str, Member] = {}
        at = self._raw.find(b"PK\x03\x04")
        while at >= 0 and at + _LOCAL.size <= len(self._raw):
            header = _LOCAL.unpack_from(self._raw, at)
            flags, method, crc, packed, size = header[2], header[3], header[6], header[7], header[8]
            name_end = at + _LOCAL.size + header[9]
            start = name_end + header[10]
            name = self._raw[at + _LOCAL.size : name_end].decode("utf-8", "replace")
            streamed = bool(flags & 8)
            if start > len(self._raw) or (not streamed and start + packed > len(self._raw)):
                break  # the member that the file was cut in
            if len(members) >= self._limits.members:
                raise exceed("members", len(members) + 1, self._limits.members, quoted(self._uri, 400))
            if name and not name.endswith("/"):
                self._check_name(name, 0)
                if not streamed:
                    self._check_size(name, packed, size)
                members.pop(name, None)
                members[name] = Member(
                    name, method, start, None if streamed else packed, None if streamed else size,
                    None if streamed else crc,
                )  # fmt: skip
            at = self._raw.find(b"PK\x03\x04", start if streamed else start + packed)
        if not members:
            raise InputError(
                f"{quoted(self._uri, 400)}: the archive is damaged: neither a directory nor a whole member."
            )
        return members

    def _data_start(self, offset: int, name: str) -> int:
        if offset + _LOCAL.size > len(self._raw) or self._raw[offset : offset + 4] != b"PK\x03\x04":
            raise InputError(f"{self._where(name)}: the archive is damaged at byte {offset}.")
        header = _LOCAL.unpack_from(self._raw, offset)
        return offset + _LOCAL.size + int(header[9]) + int(header[10])

    def _check_name(self, name: str, mode: int) -> None:
        parts = name.replace("\\", "/").split("/")
        if (
            ".." in parts
            or name.startswith(("/", "\\"))
            or ":" in parts[0]
            or "\x00" in name
            or mode & 0o170000 == _SYMLINK
        ):
            raise InputError(
                f"{quoted(self._uri, 400)}: member name {quoted(name)} points outside the archive. No harness writes such a "
                "name; the archive is not read."
            )

    def _check_size(self, name: str, packed: int, size: int) -> None:
        if size > self._limits.expanded_bytes:
            raise exceed("expanded_bytes", size, self._limits.expanded_bytes, self._where(name))
        if size > _RATIO_FLOOR and size > self._limits.ratio * max(packed, 1):
            raise exceed("ratio", size // max(packed, 1), self._limits.ratio, self._where(name))

    def _where(self, name: str) -> str:
        return f"{quoted(self._uri, 400)}, member {quoted(name)}"

    def _expand(self, member: Member) -> bytes:
        packed = memoryview(self._raw)[member.start : None if member.packed is None else member.start + member.packed]
        ceiling = member.size if member.size is not None else self._limits.expanded_bytes
        try:
            if member.method == _STORED:
                data = bytes(packed)
            elif member.method == _DEFLATED:
                data = _inflate(packed, ceiling)
            elif member.method in (_ZSTD, _OLD_ZSTD):
                data = _unzstd(packed, ceiling, several=member.packed is not None)
            else:
                raise InputError(f"compression method {member.method} is not known; accepted: stored, deflate, zstd.")
            if member.size is not None and len(data) != member.size:
                raise InputError(f"{len(data):,} bytes where the directory says {member.size:,}; it is damaged.")
        except InputError as error:
            raise InputError(f"{self._where(member.name)}: {error}") from None
        if member.size is None:
            self._check_size(member.name, len(packed), len(data))
        return data


def _inflate(packed: memoryview, ceiling: int) -> bytes:
    """Expand a deflate stream, never to more than `ceiling` bytes."""
    stream = zlib_ng.decompressobj(-15)
    try:
        data = stream.decompress(packed, ceiling + 1)
    except zlib_ng.error as error:  # type: ignore[misc]  # its stub takes the class for an instance
        raise InputError(f"damaged ({error}).") from None
    if len(data) > ceiling:
        raise InputError(f"expands to more than the {ceiling:,} bytes that it declares or may have.")
    if not stream.eof:
        raise InputError("the compressed data ends too early.")
    return data


def _unzstd(packed: memoryview, ceiling: int, *, several: bool) -> bytes:
    """Expand a zstd stream (of several frames, where its end is known), never to more than `ceiling` bytes."""
    import zstandard

    chunks: list[bytes] = []
    left = ceiling + 1  # one byte more than allowed tells that there is more
    try:
        with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(
            packed, read_across_frames=several
        ) as reader:
            while left and (chunk := reader.read(min(left, _PORTION))):
                chunks.append(chunk)
                left -= len(chunk)
    except zstandard.ZstdError as error:
        raise InputError(f"damaged ({error}).") from None
    if not left:
        raise InputError(f"expands to more than the {ceiling:,} bytes that it declares or may have.")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
