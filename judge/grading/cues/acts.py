"""What the target did: its calls with their outcomes, in words that a claim can be held against."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from judge.grading.cues.lexicon import word_set, word_sets
from judge.grading.cues.scene import FAILED, Act, Scene, Utterance
from judge.grading.cues.words import content, numbers, read_marked

_WORD = re.compile(r"[^\W_]+")

_FAMILY: dict[str, str] = {word: family for family, words in word_sets("act_").items() for word in words}
_READING = word_set("read_tools")


def families(words: Iterable[str]) -> set[str]:
    """Return the kinds of act that words speak of."""
    return {_FAMILY[word] for word in words if word in _FAMILY}


def acts_before(scene: Scene, order: int) -> list[Act]:
    """The last calls before a message, at most `LOG_REACH` of them, oldest first."""
    acts = _acts(scene)
    end = bisect_right(acts, order, key=lambda act: act.order)
    return acts[max(0, end - LOG_REACH) : end]


OUTCOME_LIMIT = 1_500  # characters of a result that reads as the outcome of a call; longer ones are content
_LEFT_OUT = re.compile(r"\b(?:without|except|excluding|not)\b[^\n]*")
LOG_REACH = 200  # calls that a claim is held against


def _acts(scene: Scene) -> list[Act]:
    if scene.acts is None:
        scene.acts = [_act(scene, utterance) for utterance in scene.of("did", "sent")]
    return scene.acts


def _act(scene: Scene, utterance: Utterance) -> Act:
    part = utterance.part
    names = [w.lower() for w in _WORD.findall(part.tool or "")]
    head = part.text[:2000]
    order, result = scene.results.get(part.id, (0, None))
    act = Act(
        order=utterance.order,
        message_id=utterance.message.id,
        part=part,
        tool=part.tool or "",
        families=families(names)
        | (families(w.lower() for w in _WORD.findall(head)[:12]) if not families(names) else set()),
        numbers=numbers(_LEFT_OUT.sub("", head)),
        words=content(head) | content((part.tool or "").replace("_", " ")),
        reads=bool(names) and names[0] in _READING,
        failed=utterance.failed or (result is not None and result.status in FAILED),
        result=result,
    )
    if result is not None:
        act.result_message = scene.messages[order].id
        text = result.text[:4000]
        act.result_words = content(text)
        if families(names) and not act.reads and len(result.text) <= OUTCOME_LIMIT:
            _look_for_failure(act, text)
    return act


def _look_for_failure(act: Act, text: str) -> None:
    words = read_marked(text)
    for sentence in words.sentences:
        for hit in sentence.of("failure"):
            before = words.words[max(sentence.i, hit.i - 2) : hit.i]
            if any(word in ("0", "no", "zero", "without", "not") for word in before):
                continue
            act.bad, act.bad_text = sentence, words.span(sentence)
            act.bad_word = " ".join(words.words[hit.i : hit.j])
            return
