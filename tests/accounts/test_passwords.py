"""Changing passwords, and links for forgotten ones."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import URL, select, update
from tests.support.people import API, Person
from tests.support.problems import pointers, problem
from tests.support.servers import Server, running
from tests.support.signing_in import ANOTHER, PASSWORD, sign_in, signed_in, visitor_at

from dutiful import clock, mail
from dutiful.accounts.passwords import check_password
from dutiful.database.session import Database, Writer
from dutiful.errors import Invalid
from dutiful.mail import Mail, MailError
from dutiful.models import PasswordReset
from dutiful.settings import Settings
from dutiful.workers.mails import send_due

CHANGE = {"current_password": PASSWORD, "new_password": ANOTHER}


async def use(client: httpx.AsyncClient, token: str, password: str = ANOTHER) -> httpx.Response:
    return await client.post(f"{API}/password-resets/use", json={"token": token, "password": password})


async def test_a_new_password_ends_the_other_sign_ins_and_no_api_token(
    door: httpx.AsyncClient, eve: Person
) -> None:
    here, elsewhere = await signed_in(door, eve), await signed_in(door, eve)
    assert (await here.post("/users/me/password", CHANGE)).status_code == 204
    problem(await elsewhere.get("/users/me"), 401)
    problem(await elsewhere.post("/tasks", {"title": "x"}), 401)
    assert (await here.get("/users/me")).status_code == 200
    assert (await eve.get("/users/me")).status_code == 200
    problem(await sign_in(door, eve.email), 401)
    await signed_in(door, eve, ANOTHER)


async def test_a_change_that_is_repeated_is_not_taken_for_a_wrong_password(
    door: httpx.AsyncClient, eve: Person
) -> None:
    here = await signed_in(door, eve)
    for number in range(8):
        response = await here.post("/users/me/password", CHANGE, headers={"Idempotency-Key": "k"})
        assert response.status_code == 204, response.text
        assert response.headers.get("Idempotency-Replayed") == ("true" if number else None)
    verbs = [event["verb"] for event in await eve.all("/users/me/events")]
    assert verbs.count("password.changed") == 1
    assert "password.refused" not in verbs


async def test_a_wrong_current_password_changes_nothing(door: httpx.AsyncClient, eve: Person) -> None:
    here, elsewhere = await signed_in(door, eve), await signed_in(door, eve)
    for wrong in ({**CHANGE, "current_password": ANOTHER}, {"new_password": ANOTHER}):
        assert pointers(await here.post("/users/me/password", wrong), 422) == ["/current_password"]
    assert (await elsewhere.get("/users/me")).status_code == 200
    await signed_in(door, eve)
    assert (await eve.all("/users/me/events"))[0]["verb"] == "session.created"


async def test_who_has_no_password_sets_a_first_one(door: httpx.AsyncClient, ana: Person) -> None:
    assert pointers(await ana.post("/users/me/password", CHANGE), 422) == ["/current_password"]
    assert (await ana.post("/users/me/password", {"new_password": ANOTHER})).status_code == 204
    await signed_in(door, ana, ANOTHER)


@pytest.mark.parametrize(
    "password", ["short", "x" * 257, "Password1!", "qwertzuiop", "Football2024!", "12341234"]
)
async def test_a_weak_password_is_refused_and_nothing_ends(
    door: httpx.AsyncClient, eve: Person, password: str
) -> None:
    here, elsewhere = await signed_in(door, eve), await signed_in(door, eve)
    refused = await here.post("/users/me/password", {**CHANGE, "new_password": password})
    assert pointers(refused, 422) == ["/new_password"]
    assert (await elsewhere.get("/users/me")).status_code == 200


@pytest.mark.parametrize(
    "password", ["ana.lovelace@example.org", "lovelace1815", "Lovelace!", "AnaLovelace1"]
)
def test_a_password_is_not_made_of_the_person(password: str) -> None:
    with pytest.raises(Invalid):
        check_password(password, "AnaLovelace", "ana.lovelace@example.org")


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "pässword 1", "Tr0ub4dor&3x", "日本語のパスワード"],
)
def test_a_good_password_is_taken(password: str) -> None:
    check_password(password, "Ana", "ana@example.org")


async def test_a_password_is_the_same_on_every_keyboard(door: httpx.AsyncClient, eve: Person) -> None:
    body = {**CHANGE, "new_password": "fünf grüne Bäume"}
    here = await signed_in(door, eve)
    assert (await here.post("/users/me/password", body)).status_code == 204
    await signed_in(door, eve, "fu\u0308nf gru\u0308ne Ba\u0308ume")


async def link_for(admin: Person, person: Person) -> Any:
    response = await admin.post(f"/users/{person.user_id}/password-reset")
    assert response.status_code == 200, response.text
    return response.json()


# --- a link by hand ---------------------------------------------------------------------------------------------------


async def test_an_administrators_link_sets_a_password_once(
    door: httpx.AsyncClient, eve: Person, admin: Person
) -> None:
    here = await signed_in(door, eve)
    link = await link_for(admin, eve)
    assert link["token"].startswith("dtr_")
    assert link["link"] is None, "no host is made up, and none taken from the request"
    assert pointers(await use(door, link["token"], "short")) == ["/password"]
    assert (await use(door, link["token"])).status_code == 204
    problem(await here.get("/users/me"), 401)
    assert pointers(await use(door, link["token"], "a third password")) == ["/token"]
    await signed_in(door, eve, ANOTHER)


async def test_of_many_who_use_a_link_at_once_one_sets_the_password(
    app: FastAPI, eve: Person, admin: Person
) -> None:
    link = await link_for(admin, eve)
    async with visitor_at(app) as client:
        answers = await asyncio.gather(*(use(client, link["token"], f"racing number {n}") for n in range(6)))
        assert sorted(answer.status_code for answer in answers) == [204] + [422] * 5
        winner = [answer.status_code for answer in answers].index(204)
        await signed_in(client, eve, f"racing number {winner}")


async def test_a_link_is_void_once_the_password_or_the_address_is_another(
    door: httpx.AsyncClient, eve: Person, admin: Person
) -> None:
    first, second, third = [await link_for(admin, eve) for _ in range(3)]
    assert (await use(door, first["token"])).status_code == 204
    assert pointers(await use(door, second["token"])) == ["/token"]
    assert pointers(await use(door, third["token"])) == ["/token"]
    fourth = await link_for(admin, eve)
    changed = await admin.patch(f"/users/{eve.user_id}", {"email": f"new-{eve.email}"})
    assert changed.status_code == 200
    assert pointers(await use(door, fourth["token"])) == ["/token"]


async def test_a_forged_or_old_link_is_refused_without_hashing(
    door: httpx.AsyncClient, eve: Person, bob: Person, admin: Person, database: Database
) -> None:
    link = await link_for(admin, eve)
    token: str = link["token"]
    another = await link_for(admin, bob)
    number, _, signature = token.partition(".")
    forged = [
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        f"{number}.{another['token'].partition('.')[2]}",
        f"{another['token'].partition('.')[0]}.{signature}",
        "dtr_1.x",
        "dtr_99999999999999999999.x",
        "nonsense",
    ]
    for one in forged:
        assert pointers(await use(door, one)) == ["/token"]

    async def expire(session: Writer) -> None:
        past = clock.now() - timedelta(seconds=1)
        await session.execute(
            update(PasswordReset).where(PasswordReset.user_id == eve.user_id).values(expires_at=past)
        )

    await database.write(expire)
    assert pointers(await use(door, token)) == ["/token"]
    await signed_in(door, eve)


async def test_a_link_ends_the_pause_of_the_account(app: FastAPI, eve: Person, admin: Person) -> None:
    async with visitor_at(app) as client, visitor_at(app) as other:
        for _ in range(5):
            problem(await sign_in(client, eve.email, "wrong wrong"), 401)
        problem(await sign_in(other, eve.email), 429)
        link = await link_for(admin, eve)
        assert (await use(other, link["token"])).status_code == 204
        await signed_in(other, eve, ANOTHER)


# --- a link by mail ---------------------------------------------------------------------------------------------------


@dataclass
class Inbox:
    """A mail server."""

    port: int = 0
    refusals: list[str] = field(default_factory=list)
    mails: list[tuple[list[str], str]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refusals:
            return self.refusals.pop()
        assert isinstance(envelope.content, bytes)
        text = envelope.content.decode().replace("\r\n", "\n")
        self.mails.append((envelope.rcpt_tos, text.replace("=\n", "").replace("=3D", "=")))
        return "250 OK"

    def to(self, address: str) -> list[str]:
        return [text for recipients, text in self.mails if recipients == [address]]


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """On this event loop: no thread, and closed with the test."""
    box = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, hostname="mail.test", loop=loop), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()
    await server.wait_closed()


@pytest.fixture
async def mailing(settings: Settings, database_url: URL, inbox: Inbox) -> AsyncIterator[Server]:
    with_mail = settings.model_copy(
        update={
            "smtp_url": SecretStr(f"smtp://127.0.0.1:{inbox.port}?from=tasks@example.org"),
            "base_url": "https://tasks.example.org",
        }
    )
    async with running(with_mail, database_url) as server:
        yield server


async def ask(client: httpx.AsyncClient, email: str) -> httpx.Response:
    return await client.post(
        f"{API}/password-resets", json={"email": email}, headers={"Host": "evil.example"}
    )


async def deliver(server: Server) -> int:
    return await send_due(server.database, server.app.state.settings)


async def test_a_forgotten_password_is_set_by_the_link_in_the_mail(
    mailing: Server, inbox: Inbox, eve: Person
) -> None:
    async with visitor_at(mailing.app) as client:
        known, unknown = await ask(client, eve.email.upper()), await ask(client, f"nobody-{eve.email}")
        assert known.status_code == unknown.status_code == 202
        assert known.json() == unknown.json()
        await asyncio.gather(*(deliver(mailing) for _ in range(3)))
        [text] = inbox.to(eve.email)
        assert "From: tasks@example.org" in text
        assert "https://tasks.example.org/reset-password#token=dtr_" in text
        assert "evil.example" not in text
        token = text.partition("#token=")[2].split()[0]
        assert (await use(client, token)).status_code == 204
        await signed_in(client, eve, ANOTHER)
        assert await deliver(mailing) == 0


async def test_too_many_requests_send_no_more_mails_and_say_the_same(
    mailing: Server, inbox: Inbox, eve: Person
) -> None:
    answers = []
    for _ in range(5):
        async with visitor_at(mailing.app) as client:
            answers.append(await ask(client, eve.email))
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    await deliver(mailing)
    assert len(inbox.to(eve.email)) == 3


async def test_without_a_mail_server_the_answer_says_whom_to_ask(
    door: httpx.AsyncClient, eve: Person, database: Database
) -> None:
    response = await ask(door, eve.email)
    assert response.status_code == 202
    assert "administrator" in response.json()["detail"]
    async with database.read() as session:
        rows = await session.scalars(select(PasswordReset).where(PasswordReset.user_id == eve.user_id))
        assert rows.all() == []


async def test_a_mail_that_was_not_taken_is_sent_later_and_given_up_after_a_day(
    mailing: Server, inbox: Inbox, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with visitor_at(mailing.app) as client:
        await ask(client, eve.email)
    inbox.refusals.append("451 come back later")
    assert await deliver(mailing) == 0
    assert await deliver(mailing) == 0, "not before its time"
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=3))
    await deliver(mailing)
    assert len(inbox.to(eve.email)) == 1
    async with visitor_at(mailing.app) as client:
        await ask(client, eve.email)
    inbox.refusals += ["451 never"]
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(days=1, minutes=5))
    await deliver(mailing)
    async with mailing.database.read() as session:
        waiting = await session.scalars(
            select(PasswordReset.mail_at).where(PasswordReset.user_id == eve.user_id)
        )
        assert set(waiting) == {None}


async def test_the_password_of_the_mail_server_is_not_sent_without_tls(inbox: Inbox) -> None:
    with pytest.raises(MailError, match="no TLS"):
        await mail.send(f"smtp://user:secret@127.0.0.1:{inbox.port}", Mail("a@example.org", "x", "x"))
    assert inbox.mails == []


async def test_a_mail_server_that_cannot_prove_who_it_is_gets_nothing(tmp_path: Any) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=mail.test",
    ]
    made = await asyncio.create_subprocess_exec(
        *command, "-keyout", key, "-out", certificate, stderr=asyncio.subprocess.DEVNULL
    )
    assert await made.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    box = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(box, hostname="mail.test", tls_context=context), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(MailError, match="SSLCertVerificationError"):
        await mail.send(f"smtp://user:secret@127.0.0.1:{port}", Mail("a@example.org", "x", "x"))
    server.close()
    await server.wait_closed()
    assert box.mails == []


@pytest.mark.parametrize(
    "address", ["a@b,c@example.org", "a>b@example.org", "a b@example.org", '"a"@example.org', "a@b@c"]
)
async def test_an_address_that_would_reach_others_is_not_written_to(inbox: Inbox, address: str) -> None:
    with pytest.raises(MailError) as refused:
        await mail.send(f"smtp://127.0.0.1:{inbox.port}", Mail(address, "x", "x"))
    assert refused.value.is_final
    assert inbox.mails == []


async def test_a_mail_server_that_is_away_is_told_apart() -> None:
    with pytest.raises(MailError, match="cannot be used") as refused:
        await mail.send("smtp://127.0.0.1:1", Mail("a@example.org", "x", "x"))
    assert not refused.value.is_final


# --- signing up -------------------------------------------------------------------------------------------------------


async def sign_up(client: httpx.AsyncClient, email: str, **more: Any) -> httpx.Response:
    return await client.post(f"{API}/sign-up", json={"email": email, "password": PASSWORD, **more})


async def test_a_closed_server_takes_no_sign_ups_and_hashes_nothing(
    door: httpx.AsyncClient, eve: Person
) -> None:
    for email in (eve.email, f"new-{eve.email}"):
        assert "administrator" in problem(await sign_up(door, email), 403)["detail"]


async def test_an_open_server_makes_ordinary_people(
    settings: Settings, database_url: URL, eve: Person
) -> None:
    is_open = settings.model_copy(update={"sign_up": "open"})
    async with running(is_open, database_url) as server, visitor_at(server.app) as client:
        made = await sign_up(client, f"new-{eve.email}", name="Newcomer", timezone="Europe/Berlin")
        assert made.status_code == 201, made.text
        assert (made.json()["name"], made.json()["is_admin"]) == ("Newcomer", False)
        assert (await sign_in(client, f"new-{eve.email}")).status_code == 201
        problem(await sign_up(client, eve.email), 409, "taken")
        assert pointers(await sign_up(client, f"x-{eve.email}", is_admin=True)) == ["/is_admin"]
        assert pointers(await sign_up(client, f"x-{eve.email}", password="password")) == ["/password"]
        statuses = [(await sign_up(client, f"{n}-{eve.email}")).status_code for n in range(4)]
        assert statuses == [201, 201, 429, 429]
