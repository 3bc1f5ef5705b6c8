"""Petri transcripts: an auditor model probes a target. The target is judged, never the auditor.

The JSON of Petri 1 and 2 is replayed event by event, so that replies which the auditor rolled back are kept, as a branch
of their own. What the target saw as user, system or tool was written by the auditor. The judge's output is withheld; in
some versions a score of 1 only means that the judge failed. Petri runs inside an Inspect `.eval` are told apart by their
sample store or timelines. There, Petri 1 and 2 keep the target's messages and the same events in the store; in Petri 3 what
was rolled back is in the model calls of the target.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import orjson

from judge.errors import InputError
from judge.transcripts.blocks import sort_facts
from judge.transcripts.chunked import pool_numbers
from judge.transcripts.detect import Match, Probe
from judge.transcripts.draft import ROLES, Draft
from judge.transcripts.harness import inspect
from judge.transcripts.jsontext import parse
from judge.transcripts.model import TARGET, Transcript
from judge.transcripts.parts import maybe, obj, objs, seq, string
from judge.transcripts.pointing import Place, resolve
from judge.transcripts.source import Opened, Record, Unreadable, elements

NAME = "petri"
_SOURCE: Final = "Auditor"
_MOST_SENT: Final = 500_000  # messages of all calls together; every call repeats its history
Placed = tuple[dict[str, Any], str]  # a message and where it stands
Shown = tuple[dict[str, Any], str, str | None]  # the same with its branch


def sniff(probe: Probe) -> Match | None:
    """By the auditor and target of its metadata; inside an archive by what only Petri stores in a sample."""
    facts = obj(probe.first.get("metadata"))
    if {"auditor_model", "target_model"} <= facts.keys() or "target_messages" in probe.first:
        return Match(0.98, maybe(facts.get("version")))
    if probe.container == "zip":
        first = next((record for record in inspect.records(probe.opened, parse) if isinstance(record, Record)), None)
        return Match(0.98, "eval") if first is not None and is_audit(obj(first.value)) else None
    samples = objs(probe.first.get("samples"))
    return Match(0.98, "eval") if samples and is_audit(samples[0]) else None


def is_audit(sample: dict[str, Any]) -> bool:
    """Whether an Inspect sample holds an audit of a target by an auditor."""
    if any(name.startswith("AuditStore") for name in obj(sample.get("store"))):
        return True
    names = {string(line.get("name")) for line in objs(sample.get("timelines"))}
    return {"target", "auditor"} <= names


def records(opened: Opened) -> Iterator[Record | Unreadable]:
    """One per transcript or sample."""
    if opened.container == "zip" or "samples" in obj(opened.document[0]):
        yield from inspect.records(opened, parse)  # whole: what was rolled back is in the events
    else:
        yield from elements(opened)


def transcribe(record: Record) -> Transcript:
    """Return the target's side of one audit."""
    value = obj(record.value)
    if "log" in record.context:
        return _sample(record, value)
    facts = obj(value.get("metadata"))
    draft = Draft(record, NAME, maybe(facts.get("version")))
    final = objs(value.get("target_messages"))
    _add_views(draft, final, "/target_messages", _Replay(seq(value.get("events")), "/events").run(), {})
    draft.native_id = maybe(facts.get("transcript_id"))
    draft.run.update(
        auditor=facts.get("auditor_model"), models=[facts["target_model"]] if facts.get("target_model") else []
    )
    draft.withheld.update(
        {name: facts[name] for name in ("judge_output", "seed_instruction", "description", "tags") if facts.get(name)}
    )
    sort_facts(draft, facts, skip={"transcript_id", "auditor_model", "target_model", *draft.withheld})
    return draft.finish()


def _add_views(
    draft: Draft, final: list[dict[str, Any]], place: str, replayed: _Replay, stored: dict[str, Any]
) -> None:
    """Add the target's stored view, with what was rolled back as the events tell it; `stored` are texts kept apart."""
    record = draft.record
    known = {string(message.get("id")) for message in final}
    if final and {string(m.get("id")) for m in replayed.standing} != known:
        draft.warn("replay_differs", "the events do not lead to the stored target view; only the latter was read")
        replayed.said = []
    places = {string(message.get("id")): index for index, message in enumerate(final)}
    told: set[str] = set()
    for message, path in replayed.said:
        name = string(message.get("id"))
        gone = name not in known if final else message not in replayed.standing
        if name in places and not gone:
            message, path = final[places[name]], f"{place}/{places[name]}"  # noqa: PLW2901
        told.add(name)
        at = record.point(message, path)
        _add(draft, inspect.resolve_attachments(message, stored), at, branch="rolled back" if gone else None)
    for index, message in enumerate(final):
        if string(message.get("id")) not in told or not replayed.said:
            at = record.point(message, f"{place}/{index}")
            _add(draft, inspect.resolve_attachments(message, stored), at, branch=None)


def _add(draft: Draft, message: dict[str, Any], at: Place, *, branch: str | None) -> None:
    raw_role = string(message.get("role"))
    role = ROLES.get(raw_role, "event")
    source = string(obj(message.get("metadata")).get("source"))
    prefilled = role == "assistant" and (source in ("Prefill", _SOURCE) or message.get("source") == "input")
    if role == "assistant":
        author, origin = TARGET, "prefill" if prefilled else "sampled"
    else:
        author, origin = "auditor" if source == _SOURCE or not source else source.lower(), "simulated"
    pieces = inspect.message_pieces(message, draft)
    facts: dict[str, Any] = {"native_id": maybe(message.get("id")), "model": maybe(message.get("model"))}
    notes = ("rolled back",) if branch else None
    draft.say(role, pieces, at=at, author=author, origin=origin, branch=branch, notes=notes, **facts)  # type: ignore[arg-type]


def _sample(record: Record, sample: dict[str, Any]) -> Transcript:
    """Read an audit inside an Inspect sample: Petri 3 stores the target's last branch, older ones keep it in the store."""
    draft = Draft(record, NAME, "eval")
    attachments = obj(sample.get("attachments"))
    inspect.add_facts(draft, sample, obj(record.context.get("log")))
    store = obj(sample.get("store"))
    kept = next((name for name in store if _is_target_store(name) and objs(obj(store[name]).get("messages"))), None)
    if kept is not None:
        events = kept.removesuffix("target") + "events"
        replayed = _Replay(seq(store.get(events)), f"/store/{_escaped(events)}").run()
        _add_views(draft, objs(store[kept]["messages"]), f"/store/{_escaped(kept)}/messages", replayed, attachments)
        return draft.finish()
    chunks = None  # where each message stands, in a log that is stored in chunks
    view = next((name for name in store if name.endswith(("target_messages", ":target_view"))), None)
    if view is not None:
        messages, path = seq(store[view]), f"/store/{_escaped(view)}"
    elif {"target", "auditor"} <= {string(line.get("name")) for line in objs(sample.get("timelines"))}:
        messages, path, chunks = seq(sample.get("messages")), "/messages", record.context.get("places")
    else:
        raise InputError(
            "this audit stores only the auditor's view; it is not read, because that would judge the auditor."
        )
    final = [(obj(given), f"{path}/{index}") for index, given in enumerate(messages)]
    said: list[Shown] = [(*one, None) for one in final]
    if any(event.get("event") == "branch" for event in objs(sample.get("events"))):
        branched = None if chunks else _with_branches(sample, final)
        if branched is None:
            draft.warn("branches_not_read", "the auditor rolled back; only the target's last branch was read")
        said = branched or said
    for index, (given, place, branch) in enumerate(said):
        message = inspect.resolve_attachments(given, attachments)
        at = chunks[index] if chunks else record.point(resolve(sample, place), place)
        _add(draft, message, at, branch=branch)
    return draft.finish()


def _is_target_store(name: str) -> bool:
    return name.startswith("AuditStore:") and name.endswith(":target")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _with_branches(sample: dict[str, Any], final: list[Placed]) -> list[Shown] | None:
    """The final view with what was rolled back, in the order in which the target first saw or said it.

    None when the target's model calls do not tell what was rolled back, or contradict the stored view.
    """
    by_id = {string(message.get("id")): index for index, (message, _) in enumerate(final) if message.get("id")}
    contents = [_content(message) for message, _ in final]
    said: list[Shown] = []
    told: dict[int, None] = {}
    gone: set[Any] = set()
    for index, message, place in islice(_target_calls(sample), _MOST_SENT):
        name = string(message.get("id"))
        if by_id.get(name) in told or name in gone:
            continue
        same = index < len(final) and contents[index] == _content(message)  # a branch replays what came before it
        found = by_id.get(name, index if same else None)
        if found is None:
            key = name or (index, _content(message))
            if key not in gone:
                gone.add(key)
                said.append((message, place, "rolled back"))
        elif found not in told:
            told[found] = None
            said.append((*final[found], None))
    if not gone or list(told) != sorted(told):
        return None
    return said + [(*one, None) for index, one in enumerate(final) if index not in told]


def _content(message: dict[str, Any]) -> bytes:
    """What makes two copies of a message the same, whatever ids they were given."""
    return orjson.dumps([message.get("role"), message.get("content"), message.get("tool_calls")])


def _target_calls(sample: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any], str]]:
    """What each call of the target's model was sent and replied, in order: position in the call, message, place."""
    targets = [line for line in objs(sample.get("timelines")) if line.get("name") == "target"]
    own = {name for line in targets for name in _event_names(obj(line.get("root")))}
    pool, holder = seq(obj(sample.get("events_data")).get("messages")), "/events_data/messages"
    if not pool:
        pool, holder = seq(sample.get("message_pool")), "/message_pool"
    for number, given in enumerate(seq(sample.get("events"))):
        event = obj(given)
        if event.get("event") != "model" or not (event.get("role") == "target" or string(event.get("uuid")) in own):
            continue
        sent = [(obj(one), f"/events/{number}/input/{index}") for index, one in enumerate(seq(event.get("input")))]
        sent += [(obj(pool[index]), f"{holder}/{index}") for index in pool_numbers(event.get("input_refs"), len(pool))]
        for choice in objs(obj(event.get("output")).get("choices"))[:1]:
            sent.append((obj(choice.get("message")), f"/events/{number}/output/choices/0/message"))
        yield from ((index, *one) for index, one in enumerate(sent))


def _event_names(root: dict[str, Any]) -> Iterator[str]:
    """The ids of all events of a timeline's span, of the spans inside it, and of its branches."""
    waiting = [root]
    while waiting:
        span = waiting.pop()
        for item in objs(span.get("content")):
            if item.get("type") == "event" and string(item.get("event")):
                yield item["event"]
            elif item.get("type") == "span":
                waiting.append(item)
        waiting.extend(objs(span.get("branches")))


class _Replay:
    """The target's view, event by event."""

    def __init__(self, events: list[Any], place: str) -> None:
        self._events = events
        self._place = place
        self.standing: list[dict[str, Any]] = []
        self.said: list[tuple[dict[str, Any], str]] = []  # every message ever shown, with its place

    def run(self) -> _Replay:
        """Replay every edit of the target's view."""
        for index, given in enumerate(self._events):
            event = obj(given)
            views = event.get("view")
            shown = views if isinstance(views, list) else [views]
            if event.get("type") == "transcript_event" and "target" in shown:
                self._edit(obj(event.get("edit")), f"{self._place}/{index}/edit")
        return self

    def _edit(self, edit: dict[str, Any], path: str) -> None:
        kind = edit.get("operation")
        if kind == "add":
            self._insert(len(self.standing), obj(edit.get("message")), f"{path}/message")
        elif kind == "rollback":
            count = edit.get("count")
            if type(count) is int and count > 0:
                del self.standing[-count:]
        elif kind == "reset":
            self.standing = []
            for index, message in enumerate(seq(edit.get("new_messages"))):
                self._insert(index, obj(message), f"{path}/new_messages/{index}")
        elif kind == "json_patch":
            for index, given in enumerate(seq(edit.get("patch"))):
                self._patch(obj(given), f"{path}/patch/{index}/value")

    def _patch(self, patch: dict[str, Any], path: str) -> None:
        place = string(patch.get("path")).split("/")[1:]
        value = patch.get("value")
        if len(place) != 1 or not (place[0].isdecimal() or place[0] == "-"):
            return
        index = len(self.standing) if place[0] == "-" else min(int(place[0]), len(self.standing))
        if patch.get("op") == "add":
            self._insert(index, obj(value), path)
        elif patch.get("op") == "remove" and index < len(self.standing):
            del self.standing[index]
        elif patch.get("op") == "replace" and index < len(self.standing):
            del self.standing[index]
            self._insert(index, obj(value), path)

    def _insert(self, index: int, message: dict[str, Any], path: str) -> None:
        if not message:
            return
        self.standing.insert(index, message)
        name = message.get("id")
        if not any(one.get("id") == name and name for one, _ in self.said):
            self.said.append((message, path))
