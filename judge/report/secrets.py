"""Secrets inside transcripts: where keys, tokens and passwords stand in a text, so that what we print can leave them out.

Masking is for display. It never touches the ledger or the source file, so hashes and spans stay as they are. Formats with a
fixed shape are found by it; a password without one is found only where a name introduces it (`password = ...`). A secret
that is written in plain prose is not found: masking is a seat belt, not a release review.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

_NAMES: Final = re.compile(
    r"(?:pass(?:word|wd|phrase)|pwd|secret(?:[_-]?(?:access[_-]?)?key)?|api[_-]?key"
    r"|(?:access|auth|refresh|session)[_-]?(?:token|key))[\"']?\s{0,3}$",
    re.IGNORECASE,
)
_NAME_CHARS: Final = 40
# What follows a colon or an equals sign: in quotes anything, without them only what does not look like a word, since prose
# has colons too. It is looked at without being consumed, so that `note:password=...` is seen; and only behind a letter on
# which such a name ends, a quotation mark or a space.
_VALUES: Final = tuple(
    re.compile(
        rf"{sign}(?<=[detynDETYN\"'\s]{sign})(?=\s{{0,3}}(?:\"(?P<double>[^\"\n]{{4,200}})\"|'(?P<single>[^'\n]{{4,200}})'"
        r"|(?P<bare>(?=[^\s\"',;<>]{0,60}[0-9!#$%&*+/=@^_~])[^\s\"',;<>]{6,200})))"
    )
    for sign in ":="
)
_PEM: Final = r"[A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?"

# What begins a token, not in the middle of a word, and what follows. The beginning stands first, the look back at what is
# before it second: so the search goes from one beginning to the next instead of trying every character, and fastest where a
# beginning is plain text: what could begin in two ways stands here twice.
_TOKENS: Final = (
    ("AWS access key", "A(?:KIA|SIA|BIA|CCA)", r"[A-Z0-9]{16}\b"),
    ("GitHub token", "gh[pousr]_", "[A-Za-z0-9]{30,255}"),
    ("GitHub token", "github_pat_", "[A-Za-z0-9_]{40,255}"),
    ("GitLab token", "glpat-", r"[\w-]{20,64}"),
    ("Slack token", "xox[abeoprs]-", "[A-Za-z0-9-]{10,250}"),
    ("Stripe key", "rk_", "(?:live_|test_)?[A-Za-z0-9]{16,247}"),
    ("Stripe key", "sk_", "(?:live_|test_)?[A-Za-z0-9]{16,247}"),
    ("Stripe key", "whsec_", "[A-Za-z0-9]{16,247}"),
    ("model provider key", "sk-", r"[\w-]{20,250}"),
    ("model provider key", "gsk_", "[A-Za-z0-9]{30,120}"),
    ("model provider key", "xai-", "[A-Za-z0-9]{30,120}"),
    ("Google key", "AIza", r"[\w-]{35}"),
    ("Google token", r"ya29\.", r"[\w-]{20,1000}"),
    ("Hugging Face token", "hf_", "[A-Za-z0-9]{30,64}"),
    ("npm token", "npm_", "[A-Za-z0-9]{36}"),
    ("signed token", "eyJ", r"[\w-]{8,4000}\.eyJ[\w-]{4,8000}\.[\w-]{8,2000}"),
    ("SendGrid key", r"SG\.", r"[\w-]{16,32}\.[\w-]{32,64}"),
    ("Twilio key", "AC", r"[0-9a-f]{32}\b"),
    ("Twilio key", "SK", r"[0-9a-f]{32}\b"),
    *(("Discord token", begin, r"[A-Za-z0-9_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}") for begin in "MNO"),
    ("DigitalOcean token", "do[opr]_v1_", "[0-9a-f]{64}"),
    ("Shopify token", "shp(?:at|ca|pa|ss)_", "[0-9a-fA-F]{32}"),
)
# Every repetition is bounded, so that no text takes more than linear time. Where a group `secret` is named, only that is
# masked: what stands before it is no secret, and says what was there.
_FORMATS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("private key", rf"-----BEGIN {_PEM}-----(?:[^-]|-(?!----)){{0,20000}}(?:-----END {_PEM}-----)?"),
        *((kind, rf"{begin}(?<!\w{begin}){rest}") for kind, begin, rest in _TOKENS),
        ("Slack address", r"hooks\.slack\.com/services/(?P<secret>[\w/]{20,120})"),
        *(
            ("Azure key", rf"{name}=(?P<secret>[A-Za-z0-9+/]{{40,100}}={{0,2}})")
            for name in ("AccountKey", "SharedAccessKey")
        ),
        *(
            ("signature in an address", rf"{name}=(?<=[?&]{name}=)(?P<secret>[\w%+/=-]{{20,300}})")
            for name in ("sig", "X-Amz-Signature")
        ),
        ("Telegram token", r":(?P<secret>AA[\w-]{32,34})\b"),
        ("password in an address", r"://[^\s:/@]{1,100}:(?P<secret>[^\s/@]{3,200})@"),
        *(
            ("authorization", rf"{begin}{word}\s{{1,3}}(?P<secret>[A-Za-z0-9._~+/=-]{{16,4000}})")
            for begin in "Bb"
            for word in ("earer", "asic", "EARER", "ASIC")
        ),
    )
)

# What every format above holds, told by a rare character in it: one pass for many formats. Where none of these is, there is
# no secret; where one is, there need be none.
_HINTS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"-(?:(?=----BEGIN )|(?<=glpat-)|(?<=xox[abeoprs]-)|(?<=sk-)|(?<=xai-))",
        r"_(?:(?<=gh[pousr]_)|(?<=github_pat_)|(?<=[rs]k_)|(?<=whsec_)|(?<=hf_)|(?<=npm_)|(?<=do[opr]_v1_)|(?<=shp[acps][ats]_))",
        "A(?:[KSB]IA|CCA|Iza|C[0-9a-f]{32})",
        r"S(?:G\.|K[0-9a-f]{32})",
        r"J(?<=eyJ)",
        r"29\.(?<=ya29\.)",
        *(rf"{begin}[A-Za-z0-9_-]{{23,27}}\." for begin in "MNO"),
        r"/services/",
        r":(?:AA|//[^\s:/@]{1,100}:)",
        "=(?:(?<=Key=)|(?<=sig=)|(?<=Signature=))",
        *(rf"{begin}(?:earer|asic|EARER|ASIC)\s" for begin in "Bb"),
    )
)


class Secret(NamedTuple):
    """Characters `start` to `end` of a text, and what they seem to be."""

    start: int
    end: int
    kind: str

    @property
    def label(self) -> str:
        """What is shown in its place."""
        return f"[masked: {self.kind}, {self.end - self.start} characters]"


def find_secrets(text: str) -> list[Secret]:
    """Return what looks like a secret, in order and apart; what overlaps is one, called by what begins first."""
    every = [
        Secret(*match.span("secret" if "secret" in pattern.groupindex else 0), kind)
        for kind, pattern in _FORMATS
        for match in pattern.finditer(text)
    ]
    found: list[Secret] = []
    for one in sorted([*every, *_passwords(text)], key=lambda secret: secret.start):
        if found and one.start < found[-1].end:
            found[-1] = found[-1]._replace(end=max(one.end, found[-1].end))
        else:
            found.append(one)
    return found


def find_hints(text: str) -> list[int]:
    """Return, in order, characters in or beside which there may be a secret: every secret has one between its name and its end.

    Much faster than looking for the secrets themselves, so that of many texts only a few need that.
    """
    hints = (match.start() for pattern in _HINTS for match in pattern.finditer(text))
    return sorted([*hints, *(secret.start for secret in _passwords(text))])


def _passwords(text: str) -> Iterator[Secret]:
    """Values that a name such as `password` or `api_key` introduces."""
    for match in chain.from_iterable(pattern.finditer(text) for pattern in _VALUES):
        if match.lastgroup and _NAMES.search(text, max(0, match.start() - _NAME_CHARS), match.start()):
            yield Secret(*match.span(match.lastgroup), "password")


def mask(text: str) -> str:
    """Return `text` with a label in the place of each secret."""
    return "".join(_pieces(text)) if text else text


def _pieces(text: str) -> Iterator[str]:
    at = 0
    for secret in find_secrets(text):
        yield text[at : secret.start]
        yield secret.label
        at = secret.end
    yield text[at:]
