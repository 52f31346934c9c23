"""Nothing that somebody sends or is given is told, at the level that tells most, whatever goes wrong."""

import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cli.programs import Serving, data_folder, execute, fresh_database, run, wait_for
from tests.support.contract import hold_to_contract_blocking
from tests.support.plain import PLAIN

from dutiful.database.embedded import EmbeddedPostgres

FORMS = ("json", "console")


@dataclass
class Secrets:
    """By what they are. Random, so that none is found by chance."""

    known: dict[str, str] = field(default_factory=dict)

    def new(self, name: str) -> str:
        return self.keep(name, f"{name}-{secrets.token_urlsafe(24)}")

    def keep(self, name: str, secret: str) -> str:
        assert secret
        self.known[f"{name} {len(self.known)}"] = secret
        return secret

    def found_in(self, text: str) -> list[str]:
        return [name for name, secret in self.known.items() if secret in text]


@dataclass
class Stage:
    serving: Serving
    database_url: str
    token: str
    secrets: Secrets

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(
            base_url=f"{self.serving.address}/api/v1",
            headers=headers,
            timeout=40,
            event_hooks={"response": [hold_to_contract_blocking]},
        )

    def end(self) -> str:
        """All that was told."""
        assert self.serving.end() == 0
        return self.serving.said


@pytest.fixture(params=FORMS)
def stage(request: pytest.FixtureRequest, postgres: EmbeddedPostgres, public_tmp: Path) -> Iterator[Stage]:
    kept = Secrets()
    with data_folder(public_tmp) as folder, fresh_database(postgres) as plain_url:
        # PostgreSQL asks for no password over its socket, and is sent this one.
        url = plain_url.replace("dutiful@", f"dutiful:{kept.new('database-password')}@")
        variables = {"DATABASE_URL": url, "SECRET_KEY": kept.new("signing")}
        everything = {
            "DUTIFUL_LOG_LEVEL": "debug",
            "DUTIFUL_LOG_FORMAT": request.param,
            "DUTIFUL_DB_ECHO": "true",
            "DUTIFUL_SIGN_UP": "open",
            "DUTIFUL_BASE_URL": "https://tasks.example.org",
            "DUTIFUL_SMTP_URL": f"smtp://mailer:{kept.new('mail-password')}@127.0.0.1:1",
            **variables,
        }
        with closing(Serving(folder, **everything)) as serving:
            serving.wait_until_ready()
            made = run("token", "create", "tests", "--scope", "admin", folder=folder, **variables)
            token = next(word for word in made.stdout.split() if word.startswith("dtf_"))
            yield Stage(serving, plain_url, kept.keep("owner-token", token), kept)


def everything_that_works(stage: Stage) -> None:
    """And much that is refused."""
    new = stage.secrets.new
    password, second, third = (new("password") for _ in range(3))
    email = f"{new('address')}@example.org"
    with stage.client() as door:
        account = {"email": email, "password": password, "name": new("name")}
        assert door.post("/sign-up", json=account).status_code == 201
        assert door.post("/sign-up", json=account).status_code == 409
        signed_in = door.post("/sessions", json={"email": email, "password": password}).json()
        session = stage.secrets.keep("session", signed_in["token"])
        assert door.post("/sessions", json={"email": email, "password": new("wrong")}).status_code == 401
        assert door.post("/sessions", json={"email": email, "pasword": new("misspelt")}).status_code == 422
        refused = {"token": new("no-token"), "password": new("unused")}
        assert door.post("/password-resets/use", json=refused).status_code >= 400
        assert door.post("/invitations/look", json={"token": new("no-invitation")}).status_code >= 400
    with stage.client(session) as ana:
        changed = {"current_password": password, "new_password": second}
        assert ana.post("/users/me/password", json=changed).status_code == 204
        assert ana.post("/users/me/password", json={**changed, "new_password": third}).status_code >= 400
        token = ana.post("/tokens", json={"name": new("token-name"), "scopes": ["write"]}).json()["token"]
        stage.secrets.keep("token", token)
        workspace = ana.post("/workspaces", json={"name": new("workspace")}).json()
        path = f"/workspaces/{workspace['id']}/invitations"
        invitation = ana.post(path, json={}).json()
        stage.secrets.keep("invitation", invitation["token"])
        with stage.client(stage.token) as owner:
            link = owner.post(f"/users/{signed_in['user']['id']}/password-reset").json()
            stage.secrets.keep("reset", link["token"])
            assert owner.post("/invitations/look", json={"token": invitation["token"]}).status_code == 200
            assert owner.post("/invitations/accept", json={"token": invitation["token"]}).status_code == 201
    with stage.client() as door:
        use = {"token": link["token"], "password": third}
        assert door.post("/password-resets/use", json=use).status_code == 204
        assert door.post("/password-resets/use", json=use).status_code >= 400
        assert door.post("/password-resets", json={"email": email}).status_code == 202
    # No mail server is there.
    wait_for(lambda: "was not sent" in stage.serving.said)
    tasks(stage, token)


def tasks(stage: Stage, token: str) -> None:
    """Past the express lane and through it."""
    new = stage.secrets.new
    with stage.client(token) as ana:
        key = {"Idempotency-Key": new("key")}
        body: dict[str, Any] = {"title": new("title"), "description": new("description"), "uid": new("uid")}
        for _ in range(2):
            assert ana.post("/tasks", json=body, headers=key).status_code == 201
        assert ana.post("/tasks", json={"title": new("other")}, headers=key).status_code == 422
        assert ana.post("/tasks", json=body).status_code == 409
        assert ana.post("/tasks/batch", json=[body]).status_code == 409
        assert ana.post("/labels", json={"name": (label := new("label"))}).status_code == 201
        assert ana.post("/labels", json={"name": label}).status_code == 409
        assert ana.get("/tasks", params={"q": new("search")}).status_code == 200
        assert ana.get("/tasks", params={"q": f'"{new("phrase")}'}).status_code == 200
        assert ana.get("/tasks", params={new("parameter"): "1"}).status_code == 422
        assert ana.get("/tasks", params={"cursor": new("cursor")}).status_code >= 400
        assert ana.post("/tasks", content=f'{{"title": "{new("torn")}').status_code >= 400
        assert ana.post("/tasks", json={"title": [new("no-text")]}).status_code == 422
        assert ana.get(f"/tasks/{new('path')}").status_code >= 400
        assert ana.get("/tasks", headers={"Cookie": new("cookie"), "X-Any": new("header")}).status_code == 200
        assert ana.get("/tasks", headers={"Authorization": f"Bearer {new('wrong-token')}"}).status_code == 401
        assert ana.get("/tasks", headers={"Authorization": f"Basic {new('basic')}"}).status_code == 401
        taskwarrior = json.dumps([{"description": new("imported"), "uuid": new("no-uuid")}])
        ana.post("/imports/taskwarrior", content=taskwarrior, headers={"Content-Type": "application/json"})


def everything_that_fails(stage: Stage) -> None:
    """Faults that nobody foresaw: 500, each with a traceback."""
    for table, column in (("tasks", "title"), ("users", "name"), ("labels", "name")):
        rule = f"ALTER TABLE {table} ADD CONSTRAINT unforeseen CHECK ({column} NOT LIKE 'unforeseen%')"
        execute(stage.database_url, rule)
    new = stage.secrets.new
    with stage.client(stage.token) as owner:
        body: dict[str, Any] = {}
        for more in ({}, PLAIN):
            body = {"title": f"unforeseen {new('title')}", "description": new("description"), **more}
            key = {"Idempotency-Key": new("key")}
            assert owner.post("/tasks", json=body, headers=key).status_code == 500
            assert owner.post("/tasks", json=body).status_code == 500
        assert owner.post("/tasks/batch", json=[body]).status_code == 500
        assert owner.post("/labels", json={"name": f"unforeseen {new('label')}"}).status_code == 500
    with stage.client() as door:
        account = {"email": f"{new('address')}@example.org", "password": new("password")}
        assert door.post("/sign-up", json={**account, "name": f"unforeseen {new('name')}"}).status_code == 500
    execute(stage.database_url, "ALTER TABLE tasks RENAME COLUMN title TO headline")
    execute(stage.database_url, "ALTER TABLE sign_in_throttles RENAME TO gone")
    with stage.client(stage.token) as owner:
        assert owner.get("/tasks", params={"q": new("search")}).status_code == 500
        assert owner.post("/tasks", json={"title": new("title")}).status_code == 500
    with stage.client() as door:
        signing_in = {"email": account["email"], "password": new("password")}
        assert door.post("/sessions", json=signing_in).status_code == 500


def test_no_secret_is_told_whatever_goes_wrong(stage: Stage) -> None:
    everything_that_works(stage)
    everything_that_fails(stage)
    said = stage.end()
    assert said.count("CheckViolationError") >= 6
    assert "UndefinedColumnError" in said
    assert "UndefinedTableError" in said
    assert "handed on" in said
    assert len(stage.secrets.known) > 40
    assert stage.secrets.found_in(said) == []
    # Nor the hashes of passwords, which the rows that were refused have.
    assert "$argon2" not in said
