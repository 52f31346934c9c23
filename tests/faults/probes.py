"""Requests that are no requests, and what hostile and broken clients send."""

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults.rawhttp import Headers, chunked, request

MOST = 10 * 1024 * 1024
DIGITS = b"7" * 100_000
DEEP = 100_000


@dataclass(frozen=True)
class Probe:
    name: str
    sent: bytes
    is_whole: bool = True
    """Else the server may wait for more, and it is the client that hangs up."""
    may_succeed: bool = False
    answers: int = 1
    """How many requests it is."""
    until: bytes | None = None
    """The body of the last answer."""


def probes(token: bytes, task_id: int) -> Iterator[Probe]:
    auth = {b"Authorization": b"Bearer " + token}
    yield from _broken_lines(auth)
    yield from _broken_lengths(auth)
    yield from _broken_chunks(auth)
    yield from _broken_headers(auth, task_id)
    yield from _broken_paths(auth)
    yield from _broken_bodies(auth, task_id)
    yield from _many_at_once(auth)


def _broken_lines(auth: Headers) -> Iterator[Probe]:
    for name, sent in {
        "HTTP/0.9": b"GET /\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        "nothing but noise": bytes(range(256)) * 8 + b"\r\n\r\n",
        "no method": b" /healthz HTTP/1.1\r\n\r\n",
        "no path": b"GET HTTP/1.1\r\nHost: x\r\n\r\n",
        "no such version": b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        "a word for a version": b"GET /healthz HTTP/one\r\nHost: x\r\n\r\n",
        "NUL in the line": b"GET /heal\x00thz HTTP/1.1\r\nHost: x\r\n\r\n",
        "CR alone": b"GET /healthz HTTP/1.1\rHost: x\r\r",
        "a method of 100 kB": b"G" * 100_000 + b" /healthz HTTP/1.1\r\n\r\n",
    }.items():
        yield Probe(name, sent, is_whole=name not in {"CR alone", "HTTP/0.9"})
    for method in (b"BREW", b"TRACE", b"PROPFIND", b"get", b"CONNECT"):
        yield Probe(f"method {method!r}", request(method, b"/api/v1/tasks", None, auth))
    yield Probe("half a line", b"GET /api/v1/ta", is_whole=False)
    yield Probe("line feeds alone", b"GET /healthz HTTP/1.1\nHost: x\n\n", may_succeed=True)
    yield Probe("empty lines ahead", b"\r\n\r\n" + request(b"GET", b"/healthz"), may_succeed=True)
    yield Probe("HTTP/1.0", request(b"GET", b"/healthz", version=b"HTTP/1.0"), may_succeed=True)
    yield Probe("OPTIONS *", request(b"OPTIONS", b"*"))
    yield Probe(
        "another's address",
        request(b"GET", b"http://elsewhere.test/api/v1/tasks", None, auth),
        may_succeed=True,
    )


def _broken_lengths(auth: Headers) -> Iterator[Probe]:
    body = b'{"title": "length"}'
    right = b"%d" % len(body)
    lengths = (
        b"abc",
        b"-1",
        b"-19",
        b"+19",
        b"1e1",
        b"0x13",
        b"19 19",
        b"19, 20",
        b"19.0",
        b"9" * 25,
        b"9" * 5_000,
        b"",
    )
    # Digits, but of other scripts.
    for length in (*lengths, b"\xd9\xa1\xd9\xa9", b"\xef\xbc\x91\xef\xbc\x99"):
        name = f"length {length[:20]!r}"
        yield Probe(name, request(body=body, headers={**auth, b"Content-Length": length}))
    yield Probe("two lengths", _with_lines(body, auth, b"Content-Length: " + right, b"Content-Length: 5"))
    twice = [b"Content-Length: " + right] * 2
    yield Probe("the same length twice", _with_lines(body, auth, *twice), may_succeed=True)
    yield Probe("no length", _with_lines(body, auth))
    too_long = request(body=body, headers={**auth, b"Content-Length": b"500"})
    yield Probe("half a body", too_long, is_whole=False)
    too_short = request(body=body, headers={**auth, b"Content-Length": b"8"})
    yield Probe("more body than it says", too_short)
    yield Probe("10 MB and a byte", request(body=b"[" + b" " * MOST, headers=auth))
    yield Probe("10 MB of spaces", request(body=b" " * MOST, headers=auth))
    expecting = request(
        body=b"", headers={**auth, b"Content-Length": b"99999999999", b"Expect": b"100-continue"}
    )
    yield Probe("may I send 100 GB?", expecting)


def _broken_chunks(auth: Headers) -> Iterator[Probe]:
    body = b'{"title": "chunks"}'
    head = {**auth, b"Content-Type": b"application/json", b"Transfer-Encoding": b"chunked"}

    def with_body(sent: bytes, **more: bytes) -> bytes:
        extra = {name.replace("_", "-").encode(): value for name, value in more.items()}
        return request(headers={**head, **extra}) + sent

    yield Probe("chunks", with_body(chunked(body[:5], body[5:])), may_succeed=True)
    yield Probe(
        "chunks with extensions", with_body(b'13;a="b"\r\n' + body + b"\r\n0\r\n\r\n"), may_succeed=True
    )
    yield Probe(
        "chunks with a trailer", with_body(b"13\r\n" + body + b"\r\n0\r\nX-A: b\r\n\r\n"), may_succeed=True
    )
    for size in (b"zz", b"-13", b"0x13", b"FFFFFFFFFFFFFFFFF", b" 13", b"", b"13 13"):
        yield Probe(f"chunk of {size!r}", with_body(size + b"\r\n" + body + b"\r\n0\r\n\r\n"))
    yield Probe("a chunk longer than it says", with_body(b"5\r\n" + body + b"\r\n0\r\n\r\n"))
    yield Probe("chunks without an end", with_body(b"13\r\n" + body + b"\r\n"), is_whole=False)
    yield Probe("half a chunk", with_body(b"13\r\n" + body[:4]), is_whole=False)
    yield Probe("chunks and a length", with_body(chunked(body), Content_Length=b"19"))
    yield Probe("chunks and a length of 0", with_body(chunked(body), Content_Length=b"0"))
    for coding in (b"xchunked", b"chunked, identity", b"identity, chunked", b"\x0bchunked", b"gzip, chunked"):
        # What it is coded with besides is not looked at: the body that comes out is JSON, or it is none.
        may_succeed = coding.endswith(b", chunked")
        yield Probe(
            f"coding {coding!r}", with_body(chunked(body), Transfer_Encoding=coding), may_succeed=may_succeed
        )
    yield Probe("11 MB in chunks", with_body(chunked(*[b" " * 2**20] * 11)))
    yield Probe("100,000 chunks of one byte", with_body(chunked(*[b" "] * 100_000)))


def _broken_headers(auth: Headers, task_id: int) -> Iterator[Probe]:
    path = b"/api/v1/tasks"
    for line in (
        b"no colon",
        b": no name",
        b"X Y: z",
        b"X-A\x00: z",
        "X-Ä: z".encode(),
        b"X-A: a\x00b",
        b"X-A: a\rb",
    ):
        yield Probe(f"header {line!r}", _with_lines(None, auth, line, method=b"GET"))
    folded = _with_lines(None, auth, b"X-A: a", b" folded", method=b"GET")
    yield Probe("a folded header", folded, may_succeed=True)
    yield Probe("half a header", b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthor", is_whole=False)
    yield Probe(
        "a header of 200 kB", request(b"GET", path, None, {**auth, b"X-A": b"a" * 200_000}), may_succeed=True
    )
    many = {b"X-%d" % number: b"a" for number in range(5_000)}
    yield Probe("5,000 headers", request(b"GET", path, None, {**auth, **many}), may_succeed=True)
    for value in (b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer \xff\xfe", b"Bearer " + b"x" * 60_000):
        yield Probe(f"token {value[:20]!r}", request(b"GET", path, None, {b"Authorization": value}))
    twice = _with_lines(None, auth, b"Authorization: Bearer dtf_another", method=b"GET")
    yield Probe("two tokens", twice, may_succeed=True)
    body = b'{"title": "headers"}'
    for key in (b"", b"k" * 256, b"k" * 60_000, b"a\tb"):
        sent = request(body=body, headers={**auth, b"Idempotency-Key": key})
        yield Probe(f"key {key[:20]!r}", sent)
    for tag in (
        b"1",
        b'"',
        b'"1',
        b'W/"1"',
        b'"99999999999999999999"',
        b'"1" "2"',
        b"\xff",
        b'"' * 50_000,
        b'"a",' * 9_999,
    ):
        sent = request(b"PATCH", b"%s/%d" % (path, task_id), b'{"title": "t"}', {**auth, b"If-Match": tag})
        yield Probe(f"If-Match {tag[:20]!r}", sent)
        sent = request(b"GET", b"%s/%d" % (path, task_id), None, {**auth, b"If-None-Match": tag})
        yield Probe(f"If-None-Match {tag[:20]!r}", sent, may_succeed=True)
    for kind in (
        b"text/plain",
        b"application/xml",
        b"application/json; charset=utf-16",
        b"multipart/form-data",
        b"\xff/\xff",
        b";" * 9_999,
    ):
        sent = request(body=body, headers={**auth, b"Content-Type": kind})
        yield Probe(f"type {kind[:30]!r}", sent, may_succeed=b"charset" in kind)
    zipped = request(body=gzip.compress(body), headers={**auth, b"Content-Encoding": b"gzip"})
    yield Probe("a zipped body", zipped)
    upgrade = {
        b"Connection": b"Upgrade",
        b"Upgrade": b"websocket",
        b"Sec-WebSocket-Version": b"13",
        b"Sec-WebSocket-Key": b"eA==",
    }
    yield Probe("a websocket", request(b"GET", b"/api/v1/changes/stream", None, upgrade))
    h2c = {
        **auth,
        b"Connection": b"Upgrade, HTTP2-Settings",
        b"Upgrade": b"h2c",
        b"HTTP2-Settings": b"AAMAAABk",
    }
    yield Probe("an upgrade to h2c", request(b"GET", path, None, h2c), may_succeed=True)
    for last in (b"nonsense", b"\xff", b"9" * 30_000, b"djE6MS0x" * 2_000):
        sent = request(b"GET", b"/api/v1/changes/stream", None, {**auth, b"Last-Event-ID": last})
        yield Probe(f"Last-Event-ID {last[:20]!r}", sent)


def _broken_paths(auth: Headers) -> Iterator[Probe]:
    for path in (
        b"/api/v1/tasks/%00",
        b"/api/v1/tasks/%0d%0aSet-Cookie:%20a=b",
        b"/api/v1/tasks/%ff%fe",
        b"/api/v1/tasks/\xff\xfe",
        b"/api/v1/tasks/" + DIGITS[:30],
        b"/api/v1/tasks/" + DIGITS[:60_000],
        b"/api/v1/tasks/-1",
        b"/api/v1/tasks/1e3",
        b"/api/v1/tasks/\xd9\xa1",
        b"/api/v1/changes/" + DIGITS[:19] + b"-" + DIGITS[:19] + b"/undo",
        b"/api/v1/../../../etc/passwd",
        b"/api/v1/%2e%2e/%2e%2e/etc/passwd",
        b"//api/v1/tasks",
        b"/" * 30_000,
        b"/" + b"a" * 100_000,
        b"/api/v1/tasks?limit=" + DIGITS[:60_000],
        b"/api/v1/tasks?limit=1e2",
        b"/api/v1/tasks?limit=-1",
        b"/api/v1/tasks?cursor=%00",
        b"/api/v1/tasks?cursor=" + b"A" * 1_999,
        b"/api/v1/tasks?cursor=" + b"A" * 50_000,
        b"/api/v1/tasks?q=%00",
        b"/api/v1/tasks?label=%00",
        b"/api/v1/tasks?label=" + DIGITS[:100],
        b"/api/v1/tasks?project_id=" + DIGITS[:5_000],
        b"/api/v1/tasks?due_before=99999-01-01",
        b"/api/v1/tasks?due_before=2026-12-01T99:99",
        b"/api/v1/tasks?updated_after=" + DIGITS[:400],
        b"/api/v1/tasks?timezone=../../etc/passwd",
        b"/api/v1/tasks?" + b"&".join(b"a%d=1" % number for number in range(5_000)),
        b"/api/v1/changes?after=%00",
        b"/api/v1/changes?after=" + b"djE6" * 10_000,
        b"/api/v1/workspaces/1/changes?after=" + DIGITS[:30],
    ):
        # To look for a label whose name nobody could give, or that is no id, is no mistake.
        may_succeed = b"label=" in path
        yield Probe(f"path {path[:60]!r}", request(b"GET", path, None, auth), may_succeed=may_succeed)
    searches = (
        b"%ff%fe",
        b"%ed%a0%80",
        b"%22" * 999,
        b"*" * 400,
        b"-" * 400,
        b"%28" * 400,
        b"a%01",
        b"%27%3b--",
    )
    for search in searches:
        path = b"/api/v1/tasks?q=" + search
        yield Probe(f"search {search[:30]!r}", request(b"GET", path, None, auth), may_succeed=True)


def _broken_bodies(auth: Headers, task_id: int) -> Iterator[Probe]:
    one, many = b"/api/v1/tasks", b"/api/v1/tasks/batch"
    for name, body in {
        "no UTF-8": b'{"title": "\xff\xfe"}',
        "UTF-8 of a surrogate": b'{"title": "\xed\xa0\x80"}',
        "a lone surrogate": b'{"title": "\\ud800"}',
        "a surrogate the wrong way round": b'{"title": "\\udc00\\ud800"}',
        "a lone surrogate in a name": b'{"title": "a", "\\ud800": 1}',
        "UTF-16": '{"title": "a"}'.encode("utf-16"),
        "UTF-32": '{"title": "a"}'.encode("utf-32"),
        "a BOM": b'\xef\xbb\xbf{"title": "a"}',
        "NUL as it is": b'{"title": "a\x00b"}',
        "NUL escaped": b'{"title": "a\\u0000b"}',
        "nothing": b"",
        "half": b'{"title": "a',
        "a comma too many": b'{"title": "a",}',
        "something behind": b'{"title": "a"} x',
        "NaN": b'{"title": NaN}',
        "NaN for an id": b'{"title": "a", "project_id": NaN}',
        "Infinity for an id": b'{"title": "a", "project_id": -Infinity}',
        "1e400 for an id": b'{"title": "a", "project_id": 1e400}',
        "digits for an id": b'{"title": "a", "project_id": ' + DIGITS + b"}",
        "digits for a title": b'{"title": ' + DIGITS + b"}",
        "digits behind a point": b'{"title": "a", "project_id": 1.' + DIGITS + b"}",
        "digits for an exponent": b'{"title": "a", "project_id": 1e' + DIGITS + b"}",
        "2 ** 63 for an id": b'{"title": "a", "project_id": 9223372036854775808}',
        "a negative id": b'{"title": "a", "project_id": -1}',
        "true for an id": b'{"title": "a", "project_id": true}',
        "a list of lists": b"[" * DEEP + b"]" * DEEP,
        "lists that do not end": b"[" * DEEP,
        "objects in objects": b'{"title": ' * DEEP + b"1" + b"}" * DEEP,
        "depth in a field": b'{"title": "a", "due": ' + b'{"date":' * DEEP + b"1" + b"}" * DEEP + b"}",
        "100,000 fields": json.dumps({f"f{number}": 1 for number in range(100_000)}).encode(),
        "a title of 1 MB": b'{"title": "' + b"a" * 2**20 + b'"}',
        "a description of 1 MB": b'{"title": "a", "description": "' + b"a" * 2**20 + b'"}',
        "100,000 labels": json.dumps({"title": "a", "labels_add": ["l"] * 100_000}).encode(),
        "spaces for a title": b'{"title": " \\t\\n"}',
        "null": b"null",
        "a text": b'"title"',
        "a number": b"1",
        "a list": b"[]",
        "a day that is none": b'{"title": "a", "due": {"date": "2026-02-30"}}',
        "the year 0": b'{"title": "a", "due": {"date": "0000-01-01"}}',
        "the year 99999": b'{"title": "a", "due": {"date": "99999-01-01"}}',
        "a zone that is none": b'{"title": "a", "due": {"date": "2026-01-01", "time": "10:00", "timezone": "../x"}}',
    }.items():
        # Known by their first bytes, and read.
        may_succeed = name in {"UTF-16", "UTF-32", "a BOM"}
        yield Probe(f"body: {name}", request(body=body, headers=auth), may_succeed=may_succeed)
        change = request(b"PATCH", b"%s/%d" % (one, task_id), body, auth)
        yield Probe(f"a change: {name}", change, may_succeed=may_succeed)
        yield Probe(f"in a batch: {name}", request(b"POST", many, b"[" + body + b"]", auth))
        operation = b'[{"op": "create", "type": "task", "data": ' + body + b"}]"
        yield Probe(f"in an operation: {name}", request(b"POST", b"/api/v1/batch", operation, auth))
    yield Probe(
        "the same name twice", request(body=b'{"title": "a", "title": "b"}', headers=auth), may_succeed=True
    )
    big = json.dumps([{"title": "many"}] * 1_001).encode()
    yield Probe("1,001 tasks", request(b"POST", many, big, auth))
    for kind in (b"taskwarrior", b"nonsense"):
        for body in (b"", b"\x00\xff" * 1_000, b"[" * DEEP, b"{" * DEEP):
            sent = request(b"POST", b"/api/v1/imports/" + kind, body, auth)
            yield Probe(f"import {kind!r} {body[:4]!r}", sent, may_succeed=True)
    for path in (b"/api/v1/sessions", b"/api/v1/invitations/look", b"/api/v1/password-resets/use"):
        yield Probe(f"depth to {path!r}", request(b"POST", path, b"[" * DEEP))
        yield Probe(
            f"a surrogate to {path!r}", request(b"POST", path, b'{"email": "\\ud800@x", "secret": "\\ud800"}')
        )


def _many_at_once(auth: Headers) -> Iterator[Probe]:
    get = request(b"GET", b"/api/v1/tasks?limit=1", None, auth)
    yield Probe("50 requests at once", get * 50, may_succeed=True, answers=50)
    post = request(body=b'{"title": "one after the other"}', headers=auth)
    yield Probe("10 writes at once", post * 10, may_succeed=True, answers=10)
    yield Probe("one and noise", get + b"\x00\xff noise\r\n\r\n", may_succeed=True, answers=2)
    yield Probe("one and half", get + post[:-5], may_succeed=True, is_whole=False)


def _with_lines(body: bytes | None, auth: Headers, *lines: bytes, method: bytes = b"POST") -> bytes:
    """With header lines as they are given."""
    every = [
        b"Host: test",
        b"Content-Type: application/json",
        *(b"%s: %s" % line for line in auth.items()),
        *lines,
    ]
    return b"%s /api/v1/tasks HTTP/1.1\r\n%s\r\n\r\n%s" % (method, b"\r\n".join(every), body or b"")


# --- mutations --------------------------------------------------------------------------------------------------------

_TOKENS = (
    *(
        b"\r\n",
        b"\r",
        b"\n",
        b"\x00",
        b"\xff",
        b" ",
        b":",
        b",",
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b"%00",
        b"\\u0000",
        b"\\ud800",
    ),
    *(
        b"-1",
        b"0",
        b"9" * 40,
        b"1e999",
        b"NaN",
        b"null",
        b"true",
        b"HTTP/1.1",
        b"chunked",
        b"Content-Length: 5\r\n",
    ),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Idempotency-Key: a\r\n",
        b'If-Match: "1"\r\n',
        b"Expect: 100-continue\r\n",
    ),
)
_VALUE = re.compile(rb'[:\[] *("[^"]*"|null|true|[0-9]+)')
_ODD_VALUES = (
    *(
        b"null",
        b"true",
        b"0",
        b"-1",
        b"1.0",
        b"1e3",
        b"9" * 19,
        b"9" * 400,
        b"[]",
        b"{}",
        b"[[]]",
        b'""',
        b'" "',
        b'"1"',
    ),
    *(
        b'"\\u0000"',
        b'"\\ud800"',
        b'"\xf0\x9f\x8e\x89"',
        b'"' + b"a" * 501 + b'"',
        b'"$a"',
        b'"$$"',
        b'"%s%n"',
        b'"\'; --"',
    ),
    *(
        b'"2026-12-01"',
        b'"24:00"',
        b'"UTC"',
        b'{"date": "2026-12-01"}',
        b'{"title": "x"}',
        b"[1, 1]",
        b'["a", "A"]',
    ),
)


def valid_requests(token: bytes, task_id: int, change_id: bytes) -> list[bytes]:
    auth = {b"Authorization": b"Bearer " + token}
    one = b"/api/v1/tasks/%d" % task_id
    full = {
        "title": "a",
        "description": "b",
        "priority": "low",
        "labels_add": ["l"],
        "due": {"date": "2026-12-01", "time": "10:00", "timezone": "Europe/Berlin"},
    }
    operations = [
        {"op": "create", "type": "task", "ref": "a", "data": {"title": "b"}},
        {"op": "update", "type": "task", "id": "$a", "data": full},
    ]
    return [
        request(b"GET", b"/api/v1/tasks?limit=2&sort=-due&status=open&q=milk", None, auth),
        request(b"GET", one, None, {**auth, b"If-None-Match": b'"1"'}),
        request(body=json.dumps(full).encode(), headers={**auth, b"Idempotency-Key": b"k"}),
        request(body=b'{"title": "plain"}', headers=auth),
        request(b"PATCH", one, b'{"title": "b", "status": "done"}', {**auth, b"If-Match": b'"3"'}),
        request(b"POST", one + b"/move", b'{"parent_id": null}', auth),
        request(b"POST", b"/api/v1/tasks/batch", b'[{"title": "one"}]', auth),
        request(b"POST", b"/api/v1/batch", json.dumps(operations).encode(), auth),
        request(b"POST", b"/api/v1/changes/%s/undo" % change_id, b'{"request": true}', auth),
        request(b"GET", b"/api/v1/changes?after=latest", None, auth),
        request(b"GET", b"/api/v1/trash?limit=5", None, auth),
        request(b"POST", b"/api/v1/labels", b'{"name": "a", "color": "#ff0000"}', auth),
    ]


def mutated(sent: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.choice([1, 1, 1, 2, 4])):
        sent = dice.choice(_MUTATIONS)(sent, dice)
    return sent


def _flip(sent: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(sent) + 1)
    return sent[:at] + bytes([dice.randrange(256)]) + sent[at + 1 :]


def _cut(sent: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(sent) + 1)
    return sent[:at] + sent[at + dice.randrange(30) :]


def _double(sent: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(sent) + 1)
    return sent[:at] + sent[at : at + dice.randrange(60)] * dice.choice([2, 2, 50]) + sent[at:]


def _insert(sent: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(sent) + 1)
    return sent[:at] + dice.choice(_TOKENS) + sent[at:]


def _replace(sent: bytes, dice: random.Random) -> bytes:
    """A token of the body, or of the line, by another."""
    at = dice.randrange(len(sent) + 1)
    token = dice.choice(_TOKENS)
    return sent[:at] + token + sent[at + len(token) :]


def _odd_value(sent: bytes, dice: random.Random) -> bytes:
    """In a body that stays JSON, so that it is understood."""
    values = list(_VALUE.finditer(sent, sent.find(b"\r\n\r\n") + 4))
    if not values:
        return _insert(sent, dice)
    value = dice.choice(values)
    changed = sent[: value.start(1)] + dice.choice(_ODD_VALUES) + sent[value.end(1) :]
    return _with_length(sent, changed)


def _with_length(sent: bytes, changed: bytes) -> bytes:
    """The length that was right for `sent`, made right for `changed`."""
    length = b"Content-Length: %d\r\n"
    old, new = (len(each.partition(b"\r\n\r\n")[2]) for each in (sent, changed))
    return changed.replace(length % old, length % new, 1)


def _in_the_body(sent: bytes, dice: random.Random) -> bytes:
    """With a length that is right, so that it is read."""
    head, end, body = sent.partition(b"\r\n\r\n")
    if not body:
        return _insert(sent, dice)
    changed = dice.choice([_flip, _cut, _double, _insert, _replace])(body, dice)
    return _with_length(sent, head + end + changed)


_MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    _flip,
    _cut,
    _double,
    _insert,
    _replace,
    *[_in_the_body] * 5,
    *[_odd_value] * 10,
]
