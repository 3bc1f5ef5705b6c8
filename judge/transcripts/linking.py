"""Which tool call a result answers, and what came of each call, for all harnesses alike.

By id where the harness gives one that can be trusted, else by the tool's name and by order; how it was found is recorded.
A call without a result has the status `unknown`, a result without a call is counted: nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from msgspec import Struct

from judge.transcripts.model import Link, PartKind
from judge.transcripts.parts import Piece

_LOOK_BACK: Final = 256  # open calls that a result without an id is compared with


class _Call(Struct):
    """A call that waits for its result."""

    batch: int  # calls with no result between them
    id: str
    piece: Piece
    told: bool  # the harness itself says what came of it
    answered: bool = False


class Linker:
    """Gives results their calls, and calls their results' status."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []  # those that may still be open, in order
        self._by_id: dict[str, list[_Call]] = {}
        self.orphans = 0
        self.kinds: set[PartKind] = set()  # that occur, besides text

    def link(self, messages: Iterable[list[Piece]]) -> None:
        """Resolve everything in the pieces of these messages, which are all of a transcript's in order."""
        batch, answering = 0, False
        for number, pieces in enumerate(messages, 1):
            for index, piece in enumerate(pieces, 1):
                kind = piece.kind
                if kind == "text":  # as most are
                    continue
                self.kinds.add(kind)
                if kind == "tool_call":
                    batch, answering = batch + answering, False
                    self._call(f"m{number}.{index}", piece, batch)
                elif kind == "tool_result":
                    answering = True
                    self._answer(piece)

    def _call(self, part_id: str, piece: Piece, batch: int) -> None:
        told = piece.status is not None
        waiting = _Call(batch, part_id, piece, told)
        if not told:
            piece.status = "unknown"
        self._calls.append(waiting)
        if piece.native_id:
            self._by_id.setdefault(piece.native_id, []).append(waiting)

    def _answer(self, piece: Piece) -> None:
        found, link = self._same_id(piece), "id"
        if found is None:
            found, link = self._next_open(piece)
        if found is None:
            self.orphans += 1
            piece.link = "none"
            return
        found.answered = True
        piece.answers = found.id
        piece.link = piece.link or cast("Link", link)
        if not found.told:
            found.piece.status = piece.status or "unknown"

    def _same_id(self, piece: Piece) -> _Call | None:
        """The call with the result's id: ids repeat, so an open one of the latest batch that has any, of the same tool."""
        matching = self._by_id.get(piece.native_id or "", [])
        if len(matching) == 1:
            return matching[0]
        recent = [one for one in matching[-_LOOK_BACK:] if not one.answered]
        if recent:
            batch = [one for one in recent if one.batch == recent[-1].batch]
            return next((one for one in batch if piece.tool and one.piece.tool == piece.tool), batch[0])
        return matching[-1] if matching else None

    def _next_open(self, piece: Piece) -> tuple[_Call | None, str]:
        """Without an id: the next open call of the latest batch that has one, of the same tool where it is named."""
        while self._calls and self._calls[-1].answered:
            self._calls.pop()
        # A call that has an id of its own is only answered by that id.
        loose = [
            one
            for one in self._calls[-_LOOK_BACK:]
            if not one.answered and not (piece.native_id and one.piece.native_id)
        ]
        named = [one for one in loose if piece.tool and one.piece.tool == piece.tool]
        fitting = named or [one for one in loose if not piece.tool or not one.piece.tool]
        if not fitting:
            return None, "none"
        return next(one for one in fitting if one.batch == fitting[-1].batch), "name" if named else "position"
