"""Only a browser that opened a link of ours, at our own address, gets anything; everything else is refused at the door."""

from __future__ import annotations

import hmac
import re
from pathlib import Path
from typing import Any

import pytest

from audit.asking import HOST, ORIGIN, PORT, Bench, Browser, ask, make_bench
from judge.audit.access import Access
from judge.audit.guard import HEADERS, Guard

JSON = ("content-type", "application/json")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One page for every test here: a refused request changes nothing."""
    return make_bench(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def browser(bench: Bench) -> Browser:
    """A browser that reads verdicts."""
    return bench.browser("mira", "read")


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("evil.example", id="another name"),
        pytest.param(f"evil.example:{PORT}", id="another name on our port, as after rebinding"),
        pytest.param(f"127.0.0.1.nip.io:{PORT}", id="a name that resolves to loopback"),
        pytest.param(f"127.0.0.1.:{PORT}", id="trailing dot after the address"),
        pytest.param(f"localhost.:{PORT}", id="trailing dot after the name"),
        pytest.param("127.0.0.1", id="no port"),
        pytest.param("localhost", id="name without port"),
        pytest.param("127.0.0.1:80", id="another port"),
        pytest.param(f"127.0.0.1:0{PORT}", id="port with a zero"),
        pytest.param(f"127.1:{PORT}", id="short form of loopback"),
        pytest.param(f"2130706433:{PORT}", id="loopback as one number"),
        pytest.param(f"0x7f.0.0.1:{PORT}", id="loopback in hex"),
        pytest.param(f"0.0.0.0:{PORT}", id="every address"),
        pytest.param(f"[::1]:{PORT}", id="IPv6 loopback, where nothing listens"),
        pytest.param(f"[::ffff:127.0.0.1]:{PORT}", id="IPv4 in IPv6"),
        pytest.param(f"user@127.0.0.1:{PORT}", id="with a user"),
        pytest.param(f"127.0.0.1:{PORT}/", id="with a path"),
        pytest.param(f"127.0.0.1:{PORT},evil.example", id="two in one"),
        pytest.param(f" 127.0.0.1:{PORT}", id="leading blank"),
        pytest.param(f"LOCALHOST:{PORT}", id="capitals"),
        pytest.param("", id="empty"),
    ],
)
def test_host_that_is_not_ours_is_refused(browser: Browser, host: str) -> None:
    """A valid session does not help a request that names another host."""
    answer = ask(browser.app, headers=[("host", host), ("cookie", browser.cookie)])
    assert answer.status == 421
    assert "ZEBRA" not in answer.text


def test_request_without_a_host_is_refused(browser: Browser) -> None:
    """There is no default host."""
    assert ask(browser.app, headers=[("cookie", browser.cookie)]).status == 421


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}"])
def test_both_names_of_loopback_are_ours(browser: Browser, host: str) -> None:
    """The address that was printed and its usual name are answered."""
    assert ask(browser.app, headers=[("host", host), ("cookie", browser.cookie)]).status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", HOST),
        ("host", "evil.example"),
        ("cookie", "a=b"),
        ("origin", ORIGIN),
        ("sec-fetch-site", "cross-site"),
        ("content-type", "text/plain"),
        ("content-length", "5"),
        ("x-anything", "1"),
    ],
)
def test_header_sent_twice_is_refused(browser: Browser, name: str, value: str) -> None:
    """Whatever a header says, a second one of its name ends the request."""
    sent = [("host", HOST), ("cookie", browser.cookie), ("origin", ORIGIN), JSON, ("content-length", "2")]
    sent += [("sec-fetch-site", "same-origin"), ("x-anything", "2"), (name, value)]
    assert ask(browser.app, "POST", "/invite", headers=sent, body=b"{}").status == 400


def test_cookie_sent_twice_in_one_header_is_refused(browser: Browser) -> None:
    """Which of two sessions is meant is not guessed."""
    twice = f"{browser.cookie}; {browser.cookie}"
    assert ask(browser.app, headers=[("host", HOST), ("cookie", twice)]).status == 400


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        f"https://{HOST}",
        "http://127.0.0.1",
        f"http://127.0.0.1:{PORT + 1}",
        f"http://{HOST}/",
        f"http://{HOST}.evil.example",
        f"http://localhost:{PORT}",
        f"http://[::1]:{PORT}",
        "file://",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_origin_that_is_not_this_page_is_refused(browser: Browser, origin: str, method: str) -> None:
    """Reading and writing alike answer to this page alone, and the page at another name of ours is another page."""
    sent = [("host", HOST), ("cookie", browser.cookie), ("origin", origin), JSON]
    assert ask(browser.app, method, "/" if method == "GET" else "/invite", headers=sent, body=b"{}").status == 403


def test_write_without_an_origin_is_refused(browser: Browser) -> None:
    """A browser always says where a write comes from."""
    sent = [("host", HOST), ("cookie", browser.cookie), JSON]
    assert ask(browser.app, "POST", "/invite", headers=sent, body=b"{}").status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "Same-Origin", "same-origin, cross-site"])
def test_read_that_another_page_asked_for_is_refused(browser: Browser, site: str) -> None:
    """What the browser says about who asks counts for reading too; another port of this machine is another site."""
    sent = [("host", HOST), ("cookie", browser.cookie), ("sec-fetch-site", site)]
    assert ask(browser.app, headers=sent).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_write_that_another_page_asked_for_is_refused(browser: Browser, site: str) -> None:
    """Nobody types a write into the address bar, so `none` is refused as well."""
    sent = [("host", HOST), ("cookie", browser.cookie), ("origin", ORIGIN), ("sec-fetch-site", site), JSON]
    assert ask(browser.app, "POST", "/invite", headers=sent, body=b"{}").status == 403


def test_link_from_the_terminal_is_answered(browser: Browser) -> None:
    """A typed address is asked for by nobody."""
    sent = [("host", HOST), ("cookie", browser.cookie), ("sec-fetch-site", "none")]
    assert ask(browser.app, headers=sent).status == 200


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X"])
def test_method_that_the_page_does_not_use_is_refused(browser: Browser, method: str) -> None:
    """There is GET and POST, and the answer to anything else says so."""
    answer = ask(browser.app, method, headers=[("host", HOST), ("cookie", browser.cookie)])
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, POST"


KEY = "0" * 20
WRITING = (
    "/sign-in",
    "/sign-out",
    "/invite",
    f"/case/{KEY}/label",
    f"/case/{KEY}/draft",
    f"/case/{KEY}/undo",
    f"/case/{KEY}/dispute",
    f"/dispute/{KEY}/review",
    f"/dispute/{KEY}/decision",
)
READING = (
    "/",
    "/disputes",
    f"/dispute/{KEY}",
    f"/case/{KEY}",
    f"/case/{KEY}/draft",
    f"/case/{KEY}/turns",
    f"/case/{KEY}/page/{KEY}",
    f"/case/{KEY}/bundle/{KEY}",
)


@pytest.mark.parametrize("path", WRITING)
@pytest.mark.parametrize(
    ("status", "change"),
    [
        (401, {"cookie": "judge-audit-8123=guess"}),
        (401, {"cookie": None}),
        (403, {"origin": None}),
        (403, {"origin": "null"}),
        (403, {"origin": f"http://127.0.0.1:{PORT + 1}"}),
        (403, {"sec-fetch-site": "cross-site"}),
        (403, {"sec-fetch-site": "same-site"}),
        (415, {"content-type": "text/plain"}),
        (415, {"content-type": "application/x-www-form-urlencoded"}),
        (421, {"host": "evil.example"}),
        (421, {"host": f"evil.example:{PORT}"}),
    ],
)
def test_every_writing_address_is_behind_the_guard(
    browser: Browser, path: str, status: int, change: dict[str, str | None]
) -> None:
    """A write with one thing wrong about its session, origin, kind or host is refused, wherever it goes."""
    right = {
        "host": HOST,
        "cookie": browser.cookie,
        "origin": ORIGIN,
        "sec-fetch-site": "same-origin",
        "content-type": "application/json",
    }
    sent = [(name, value) for name, value in (right | change).items() if value is not None]
    assert ask(browser.app, "POST", path, headers=sent, body=b"{}").status == status


@pytest.mark.parametrize("path", READING)
@pytest.mark.parametrize(
    ("status", "change"),
    [
        (401, {"cookie": None}),
        (403, {"origin": "http://evil.example"}),
        (403, {"sec-fetch-site": "cross-site"}),
        (421, {"host": "evil.example"}),
    ],
)
def test_every_reading_address_is_behind_the_guard(
    browser: Browser, path: str, status: int, change: dict[str, str | None]
) -> None:
    """A page with one thing wrong about its session, origin or host is refused, whichever it is."""
    right = {"host": HOST, "cookie": browser.cookie, "sec-fetch-site": "same-origin"}
    sent = [(name, value) for name, value in (right | change).items() if value is not None]
    assert ask(browser.app, path=path, headers=sent).status == status


@pytest.mark.parametrize("path", [path for path in (*WRITING, *READING) if path not in ("/sign-in", "/")])
def test_nothing_is_done_or_shown_before_somebody_has_signed_in(bench: Bench, path: str) -> None:
    """A link alone opens no case, no list and no dispute, and writes nothing."""
    there, before = Browser(bench.app, bench.access), bench.ledger.head()
    answer = there.post(path, {}) if path in WRITING else there.get(path)
    assert answer.status == 403
    assert "ZEBRA" not in answer.text
    assert bench.ledger.head() == before


@pytest.mark.parametrize("path", [path for path in WRITING if path not in READING])
def test_writing_addresses_do_not_answer_to_reading(browser: Browser, path: str) -> None:
    """GET never writes: the addresses that do are not there for it."""
    assert browser.get(path).status in (404, 405)


@pytest.mark.parametrize("path", ["/", "/open", "/static/audit.css", "/disputes", f"/dispute/{KEY}"])
def test_reading_addresses_do_not_answer_to_writing(browser: Browser, path: str) -> None:
    """POST to a page that is read is refused."""
    assert browser.post(path, {}).status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/static/server.py",
        "/static/",
        "/static",
        "//evil.example/",
        "/case//label",
        "/case/%00",
        "/case/x\\y",
        "/case/nowhere",
        "/./",
        "/.git/config",
        "/a/b/c/d/e/f",
        "/case/" + "a" * 200,
        "/openapi.json",
        "/docs",
        "http://evil.example/",
        "*",
    ],
)
def test_path_that_is_not_a_page_is_not_found(browser: Browser, path: str) -> None:
    """No address leads to a file, a listing or another host."""
    assert browser.get(path).status == 404


async def _anything(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers whatever it is asked: what it never hears of, the guard has kept from it."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"heard"})


@pytest.mark.parametrize(
    ("status", "path", "headers"),
    [
        (200, "/open", [("host", HOST)]),
        (200, "/signed-out", [("host", HOST)]),
        (200, "/static/audit.css", [("host", HOST)]),
        (401, "/", [("host", HOST)]),
        (401, "/no/such/page", [("host", HOST)]),
        (401, "/openly", [("host", HOST)]),
        (404, "/static/../secret", [("host", HOST)]),
        (404, "/static//audit.css", [("host", HOST)]),
        (404, "/open%00", [("host", HOST)]),
        (421, "/open", [("host", "evil.example")]),
    ],
)
def test_guard_lets_nothing_through_by_itself(status: int, path: str, headers: list[tuple[str, str]]) -> None:
    """Before any page looks: without a session three addresses are open, and a path that no page has is not even routed."""
    guard = Guard(_anything, Access(), PORT)
    answer = ask(guard, path=path, headers=headers)
    assert (answer.status, answer.text == "heard") == (status, status == 200)


def test_address_that_is_too_long_is_refused(browser: Browser) -> None:
    """A query has a limit."""
    assert browser.get("/", query="show=" + "a" * 600).status == 414


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "judge-audit-8123=",
        "judge-audit-8123=guess",
        "judge-audit=guess",
        "judge-audit-8123",
        "judge-audit-8123=\xff",
    ],
)
def test_page_without_a_session_shows_nothing(bench: Bench, cookie: str) -> None:
    """Without a link's session every page is refused, and says what to do."""
    answer = ask(bench.app, headers=[("host", HOST), ("cookie", cookie)])
    assert answer.status == 401
    assert "one-time link" in answer.text


def test_session_of_another_start_opens_nothing(bench: Bench, tmp_path: Path) -> None:
    """Each start of the page has its own secrets."""
    other = make_bench(tmp_path)
    answer = ask(bench.app, headers=[("host", HOST), ("cookie", other.browser().cookie)])
    assert answer.status == 401


def test_link_works_once(bench: Bench) -> None:
    """Whoever comes second with the same link is refused."""
    token = bench.access.new_link()
    first = ask(bench.app, path="/open", query=f"token={token}", headers=[("host", HOST)])
    second = ask(bench.app, path="/open", query=f"token={token}", headers=[("host", HOST)])
    assert (first.status, second.status) == (303, 401)
    assert "set-cookie" not in second.headers


@pytest.mark.parametrize("query", ["", "token=", "token=guess", "token=%ED%A0%80", "other=1"])
def test_link_that_was_never_given_opens_nothing(bench: Bench, query: str) -> None:
    """A guessed token is refused without a cookie."""
    answer = ask(bench.app, path="/open", query=query, headers=[("host", HOST)])
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("which", [0, 1, 2, None])
def test_secret_is_compared_with_every_known_one_in_constant_time(
    monkeypatch: pytest.MonkeyPatch, which: int | None
) -> None:
    """Whichever is right, or none: each is compared in full, so that no answer comes sooner for being nearly right."""
    access = Access()
    links = [access.new_link() for _ in range(3)]
    compared: list[bytes] = []

    def digest(known: bytes, given: bytes) -> bool:
        compared.append(known)
        return known == given

    monkeypatch.setattr(hmac, "compare_digest", digest)
    session = access.exchange("x" * 43 if which is None else links[which])
    assert (session is None) == (which is None)
    assert compared == [link.encode() for link in links]
    if session is not None:
        compared.clear()
        assert access.session(session.secret) is session
        assert compared == [session.secret.encode()]


def test_link_holds_at_least_128_bits(bench: Bench) -> None:
    """Each character of the token carries six bits; 22 of them are 132."""
    tokens = {bench.access.new_link() for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) >= 22 for token in tokens)


def test_cookie_is_for_this_page_alone(bench: Bench) -> None:
    """No script can read the cookie, no other site can make the browser send it, and it names its port."""
    answer = ask(bench.app, path="/open", query=f"token={bench.access.new_link()}", headers=[("host", HOST)])
    given = answer.headers["set-cookie"].lower()
    assert given.startswith(f"judge-audit-{PORT}=")
    assert "httponly" in given
    assert "samesite=strict" in given
    assert "domain" not in given
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_write_that_a_plain_form_could_send_is_refused(browser: Browser, kind: str) -> None:
    """Another site's form can send these kinds without asking; ours is none of them."""
    sent = [("host", HOST), ("cookie", browser.cookie), ("origin", ORIGIN), ("content-type", kind)]
    assert ask(browser.app, "POST", "/invite", headers=sent, body=b"{}").status == 415


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b'{"a":NaN}'])
def test_body_that_is_no_object_is_refused(bench: Bench, body: bytes) -> None:
    """What was sent is named as unusable, with the answer in JSON."""
    there = Browser(bench.app, bench.access)
    sent = [("host", HOST), ("cookie", there.cookie), ("origin", ORIGIN), JSON]
    answer = ask(bench.app, "POST", "/sign-in", headers=sent, body=body)
    assert answer.status == 400
    assert "error" in answer.json


def test_body_beyond_the_limit_is_refused(bench: Bench) -> None:
    """A megabyte is more than a label."""
    there = Browser(bench.app, bench.access)
    assert there.post("/sign-in", {"name": "a" * 1_000_001}).status == 413


def test_socket_is_closed(bench: Bench) -> None:
    """There are no sockets here, whoever asks; 1008 is the protocol's code for a policy."""
    assert ask(bench.app, kind="websocket", headers=[("host", HOST)]).status == 1008


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", [("host", HOST)]),
        ("/", [("host", "evil.example")]),
        ("/nowhere", [("host", HOST)]),
        ("/open", [("host", HOST)]),
        ("/static/audit.js", [("host", HOST)]),
        ("/static/nothing", [("host", HOST)]),
        ("/", [("host", HOST), ("host", HOST)]),
    ],
)
def test_every_answer_carries_the_policy(bench: Bench, path: str, headers: list[tuple[str, str]]) -> None:
    """Pages, files and refusals alike forbid scripts, frames, caching, sniffing and referrers."""
    answer = ask(bench.app, path=path, headers=headers)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_policy_is_the_one_that_was_promised() -> None:
    """Nothing is loaded but our own style, script and requests; no inline code, no frame."""
    assert HEADERS["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert HEADERS["x-content-type-options"] == "nosniff"
    assert HEADERS["referrer-policy"] == "no-referrer"
    assert HEADERS["cache-control"] == "no-store"
    assert HEADERS["x-frame-options"] == "DENY"
    assert HEADERS["cross-origin-opener-policy"] == HEADERS["cross-origin-resource-policy"] == "same-origin"


def test_reading_changes_no_file(tmp_path: Path) -> None:
    """After every page was read, the ledger and the gold folder are as they were."""
    bench = make_bench(tmp_path)
    there = bench.browser("mira", "read")
    before = bench.ledger.head(), (tmp_path / "ledger.db").read_bytes()
    cases = [f"/case/{key}" for key in _keys(there)]
    files = [
        path for case in cases for path in re.findall(r'href="(/case/\w+/(?:page|bundle)/\w+)"', there.get(case).text)
    ]
    assert {path.split("/")[3] for path in files} == {"page", "bundle"}
    for path in ("/", "/static/audit.js", "/disputes", *cases, *(f"{case}/draft" for case in cases), *files):
        assert there.get(path).status == 200
    assert (bench.ledger.head(), (tmp_path / "ledger.db").read_bytes()) == before
    assert not bench.gold.exists()


def _keys(browser: Browser) -> list[str]:
    return re.findall(r'href="/case/([0-9a-f]{20})"', browser.get("/").text)
