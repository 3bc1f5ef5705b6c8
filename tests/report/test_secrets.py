"""Secrets inside transcripts are masked, ordinary text is not, and nothing takes longer than the text is long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.report.passages import Mark, passages
from judge.report.secrets import find_hints, find_secrets, mask

# Put together here, so that no scanner of this repository takes an invented key for a lost one.
A, H = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA", "0123456789abcdef"
SECRETS = {
    "AWS access key": "AKIA" + "Q2W3E4R5T6Y7U8I9",
    "GitHub token": "ghp_" + A + "bC4e",
    "fine-grained GitHub token": "github_pat_" + A + A,
    "GitLab token": "glpat-" + A[:20],
    "Slack token": "xoxb-" + "123456789012-" + A,
    "Slack address": "T00000000/B00000000/" + A[:24],
    "Stripe key": "sk_live_" + A,
    "model provider key": "sk-ant-api03-" + A,
    "project key": "sk-proj-" + A,
    "Google key": "AIza" + A + "abC",
    "Google token": "ya29." + A,
    "Hugging Face token": "hf_" + A + "ab",
    "npm token": "npm_" + A + "abCd",
    "signed token": "eyJ" + A + ".eyJ" + A + "." + A,
    "SendGrid key": "SG." + A[:22] + "." + A + "abcdefghijk",
    "Twilio key": "AC" + H + H,
    "Azure key": A + A + "abcdefghijklmnopqrstuv==",
    "Telegram token": "123456789:AA" + A + "b",
    "Discord token": "M" + A[:23] + "." + A[:6] + "." + A[:27],
    "DigitalOcean token": "dop_v1_" + H * 4,
    "Shopify token": "shpat_" + H + H,
    "password in an address": "s3cr3t-word",
    "authorization": A,
    "password": "hunter2!",
    "quoted password": "correct horse battery",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n" + A + "\n-----END RSA PRIVATE KEY-----",
}
_AROUND = {
    "Slack address": "https://hooks.slack.com/services/{}",
    "Azure key": "AccountKey={};EndpointSuffix=core",
    "password in an address": "postgresql://admin:{}@db.example/main",
    "authorization": "Authorization: Bearer {}",
    "password": "password = {}",
    "quoted password": '"api_key": "{}"',
}


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_masked(kind: str) -> None:
    """A secret in running text leaves a label in its place, and none of its characters."""
    text = f"Here it is: {_AROUND.get(kind, '{}').format(SECRETS[kind])} and on it goes."
    shown = mask(text)
    assert SECRETS[kind] not in shown
    assert "[masked: " in shown
    assert shown.startswith("Here it is: ")
    assert shown.endswith("and on it goes.")


@pytest.mark.parametrize(
    "text",
    [
        "The password: please do not ask for it.",
        "The secret: everyone already knew.",
        "My token of thanks, and the key to the office.",
        "I reset her password and told nobody.",
        "See task-1234567890 and risk-assessment-of-the-quarter.",
        "commit 3f2a9c1d0b7e8f6a5d4c3b2a1f0e9d8c7b6a5f4e",
        "https://example.org/a/b?page=2&sort=name",
        "bearer of bad news",
        "Invoice 2207: 14,300.00 EUR to account DE89 3704 0044 0532 0130 00",
        "",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """Prose about secrets, numbers, hashes and addresses are no secrets."""
    assert text == mask(text)


def test_two_secrets_that_overlap_are_masked_once() -> None:
    """A key that is also a password value is one secret, masked whole."""
    key = "AKIA" + "Q2W3E4R5T6Y7U8I9"
    assert "password=[masked: AWS access key, 20 characters]" == mask(f"password={key}")


# One of each kind in a form that is found, the beginnings that stand in several forms, and what can stand around them.
PIECES = [_AROUND.get(kind, "{}").format(secret) for kind, secret in SECRETS.items()]
PIECES += [
    "ASIA" + "Q2W3E4R5T6Y7U8I9",
    "rk_test_" + A,
    "whsec_" + A,
    "gsk_" + A,
    "xai-" + A,
    "SK" + H + H,
    "N" + PIECES[18][1:],
]
PIECES += [f"{begin}_{H}{H}" for begin in ("shpca", "shppa", "shpss")] + [
    f"{word} {A}" for word in ("BASIC", "basic", "bEARER")
]
PIECES += [f"{name}={A}{A}abcdefghijklmnop" for name in ("SharedAccessKey", "?sig", "&X-Amz-Signature", "secret_key")]
NOISE = st.sampled_from(["", " ", "\n", "x", "_", "-", ":", "=", "a:/", "Key=", "eyJ", "sk-"])


def test_every_piece_is_found() -> None:
    """What the next test puts together holds a secret each."""
    assert [one for one in PIECES if not find_secrets(one)] == []


@given(st.lists(st.one_of(NOISE, st.sampled_from(PIECES), st.text(max_size=3)), max_size=6).map("".join))
def test_no_secret_is_without_a_hint(text: str) -> None:
    """Each secret has a hint between 40 characters before it, where its name may stand, and its end."""
    hints = find_hints(text)
    assert hints == sorted(hints)
    for secret in find_secrets(text):
        assert any(max(0, secret.start - 40) <= hint < secret.end for hint in hints), secret


@given(st.text(max_size=300))
def test_secrets_lie_apart_and_inside_the_text(text: str) -> None:
    """Whatever the text, what is found is in order, inside it, and never overlaps."""
    at = 0
    for secret in find_secrets(text):
        assert at <= secret.start < secret.end <= len(text)
        at = secret.end


@given(
    st.text(alphabet="ab \n<", max_size=200), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=6)
)
def test_passages_give_the_text_back(text: str, spans: list[tuple[int, int]]) -> None:
    """Cut at every quote, a text without secrets is still the whole text in order, whatever the quotes are."""
    marks = [Mark(start, end, start % 2 == 0, True, f"q{n}") for n, (start, end) in enumerate(spans)]
    found = passages(text, marks)
    assert text == "".join(one.text for one in found)
    fitting = {mark.name for mark in marks if mark.start < mark.end <= len(text)}
    assert fitting == {name for one in found for name in one.anchors}


def test_quotes_stand_where_their_offsets_say() -> None:
    """The marked passage is the span, also right beside a secret whose label is longer than it."""
    key = "AKIA" + "Q2W3E4R5T6Y7U8I9"
    found = passages(f"{key} pay up", [Mark(21, 24, True, True, "q1")])
    assert ["secret", "text", "text", "text"] == [one.kind for one in found]
    assert [("pay", True)] == [(one.text, one.mark.admissible) for one in found if one.mark]


def test_a_secret_inside_a_quote_is_masked() -> None:
    """A quote that spans a secret is marked on both sides of the label, and the secret is not shown."""
    key = "AKIA" + "Q2W3E4R5T6Y7U8I9"
    found = passages(f"send {key} now", [Mark(0, 29, True, True, "q1")])
    assert ["send ", f"[masked: AWS access key, {len(key)} characters]", " now"] == [one.text for one in found]
    assert all(one.mark for one in found)


def test_long_parts_are_cut_away_from_quotes() -> None:
    """Of 5,000 characters at a limit of 1,000, the first 500, the last 250 and 600 around the quote stay."""
    text = "a" * 2_500 + "QUOTE" + "b" * 2_495
    found = passages(text, [Mark(2_500, 2_505, True, True, "q1")], limit=1_000)
    assert ["1,400 characters cut", "1,645 characters cut"] == [one.text for one in found if one.kind == "gone"]
    assert "QUOTE" in [one.text for one in found]
    assert 500 + 600 + 5 + 600 + 250 == sum(len(one.text) for one in found if one.kind == "text")
