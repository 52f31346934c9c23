"""`dutiful token` and `dutiful user`, while a server runs on the same data."""

import asyncio
import datetime as dt
import importlib
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
import typer
from tests.cli.conftest import Dutiful
from typer.core import TyperGroup

from dutiful.accounts.passwords import hash_password, is_outdated, is_password
from dutiful.cli import failures
from dutiful.cli.main import COMMANDS
from dutiful.datafolder import DataFolder


def answer(folder: Path, token: str, method: str = "GET", path: str = "/users/me") -> httpx.Response:
    running = DataFolder(folder).running_server()
    assert running is not None
    return httpx.request(
        method, f"{running.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, timeout=20
    )


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    lines = ["correct horse battery staple\n"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(lines)))
    return lines


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_all_that_is_printed_and_works_until_it_is_revoked(
    dutiful: Dutiful, served_folder: Path
) -> None:
    made = dutiful("token", "create", "Laptop")
    assert (made.code, made.err, made.out.count("\n")) == (0, "", 1)
    token = made.out.strip()
    assert answer(served_folder, token).json()["is_admin"]
    [row] = [row for row in dutiful("token", "list", "--json").json if row["name"] == "Laptop"]
    assert row["scopes"] == ["read", "write"]
    assert token not in dutiful("token", "list").out
    assert dutiful("token", "revoke", row["id"]).err == f"Revoked {row['id']} Laptop.\n"
    assert answer(served_folder, token).status_code == 401
    assert dutiful("token", "revoke", row["id"]).code == 1


def test_scopes_and_the_last_day_are_kept(dutiful: Dutiful, served_folder: Path) -> None:
    day = dt.datetime.now().astimezone().date() + dt.timedelta(days=30)
    made = dutiful("token", "create", "Reader", "--scope", "read", "--expires", day, "--json").json
    assert made["scopes"] == ["read"]
    midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time()).astimezone()
    assert dt.datetime.fromisoformat(made["expires_at"]) == midnight
    assert answer(served_folder, made["token"]).status_code == 200
    assert answer(served_folder, made["token"], "POST", "/tasks").status_code == 403


@pytest.mark.parametrize("day", ["2020-01-01", "tomorrow", "9999-12-31"])
def test_a_day_that_makes_no_sense_is_a_usage_error(dutiful: Dutiful, day: str) -> None:
    refused = dutiful("token", "create", "Old", "--expires", day)
    assert refused.code == 2
    assert "Invalid value for --expires" in refused.err


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("typed")
def test_a_person_is_added_and_found_by_their_address(dutiful: Dutiful, served_folder: Path) -> None:
    added = dutiful("user", "create", "Bo@Example.org", "--timezone", "Europe/Berlin", "--password-stdin")
    assert (added.code, added.out) == (0, "")
    [bo] = [person for person in dutiful("user", "list", "--json").json if person["name"] == "Bo"]
    assert (bo["email"], bo["timezone"], bo["is_admin"]) == ("Bo@Example.org", "Europe/Berlin", False)
    assert bo["has_password"]
    assert "argon2" not in str(bo)
    assert "Bo@Example.org" in dutiful("user", "list").out
    token = dutiful("token", "create", "Bo's", "--user", "bo@example.ORG").out.strip()
    assert answer(served_folder, token).json()["id"] == bo["id"]
    again = dutiful("user", "create", "BO@example.org")
    assert (again.code, again.err) == (1, "Somebody has this e-mail address already.\n")


def test_the_owner_gets_an_address_and_a_name(dutiful: Dutiful) -> None:
    changed = dutiful("user", "set", "--email", "owner@example.org", "--timezone", "Asia/Tokyo")
    assert changed.err == "Changed 1 Owner <owner@example.org>.\n"
    named = dutiful("user", "set", "--user", "owner@example.org", "--name", "Ówner")
    assert named.err == "Changed 1 Ówner <owner@example.org>.\n"
    dutiful("user", "set", "--name", "Owner")


@pytest.mark.usefixtures("typed")
def test_a_password_is_set(dutiful: Dutiful) -> None:
    dutiful("user", "create", "cy@example.org")
    done = dutiful("user", "password", "cy@example.org", "--password-stdin")
    assert (done.code, done.out, done.err) == (0, "", "cy@example.org has a new password.\n")


def test_a_person_sets_a_password_by_the_link_that_was_made_for_them(
    dutiful: Dutiful, served_folder: Path
) -> None:
    dutiful("user", "create", "dee@example.org")
    made = dutiful("user", "reset", "dee@example.org")
    assert (made.code, made.out.count("\n")) == (0, 1)
    assert made.out.startswith("dtr_")
    assert "password-resets/use" in made.err
    running = DataFolder(served_folder).running_server()
    assert running is not None
    body = {"token": made.out.strip(), "password": "correct horse battery staple"}
    api = f"{running.url}/api/v1"
    assert httpx.post(f"{api}/password-resets/use", json=body).status_code == 204
    sign_in = httpx.post(f"{api}/sessions", json={"email": "dee@example.org", "password": body["password"]})
    assert answer(served_folder, sign_in.json()["token"]).status_code == 200
    verbs = [event["verb"] for event in dutiful("user", "events", "dee@example.org", "--json").json]
    assert verbs == ["session.created", "password.reset", "password.reset_requested", "user.created"]
    assert "session.created" in dutiful("user", "events", "dee@example.org", "--limit", "1").out
    link = dutiful("user", "reset", "dee@example.org", "--json").json
    assert (link["link"], link["token"][:4]) == (None, "dtr_")


def test_a_person_is_disabled_enabled_and_erased(dutiful: Dutiful, served_folder: Path) -> None:
    dutiful("user", "create", "fay@example.org", "--name", "Fay")
    token = dutiful("token", "create", "Fay's", "--user", "fay@example.org").out.strip()
    assert answer(served_folder, token).status_code == 200
    assert dutiful("user", "disable", "fay@example.org").err.startswith("fay@example.org is disabled.")
    assert answer(served_folder, token).status_code == 401
    assert "disabled" in dutiful("user", "list").out
    assert dutiful("user", "enable", "FAY@example.org").code == 0
    assert answer(served_folder, token).status_code == 200
    asked = dutiful("user", "erase", "fay@example.org")
    assert (asked.code, "--yes" in asked.err) == (1, True)
    assert dutiful("user", "erase", "fay@example.org", "--yes").err == "fay@example.org is erased.\n"
    assert answer(served_folder, token).status_code == 401
    assert "fay@example.org" not in dutiful("user", "list", "--json").out
    assert dutiful("user", "erase", "fay@example.org", "--yes").code == 1


def test_the_last_administrator_stays_one_and_keeps_their_tokens(
    dutiful: Dutiful, served_folder: Path
) -> None:
    dutiful("user", "set", "--email", "owner@example.org")
    token = dutiful("token", "create", "kept", "--user", "owner@example.org").out.strip()
    for arguments in (
        ["disable", "owner@example.org"],
        ["erase", "owner@example.org", "--yes"],
        ["set", "--no-admin"],
    ):
        refused = dutiful("user", *arguments)
        assert (refused.code, refused.err) == (
            1,
            "This is the last administrator. Make somebody else one first.\n",
        )
    assert answer(served_folder, token).status_code == 200
    dutiful("user", "create", "gus@example.org")
    assert dutiful("user", "set", "--user", "gus@example.org", "--admin").code == 0
    assert dutiful("user", "set", "--user", "gus@example.org", "--no-admin").code == 0


@pytest.mark.parametrize("password", ["password1", "owner@example.org"])
def test_a_password_that_is_guessed_first_is_refused(
    dutiful: Dutiful, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
    assert dutiful("user", "password", "owner@example.org", "--password-stdin").code == 1


@pytest.mark.parametrize("password", ["short", "x" * 257, ""])
def test_a_password_too_short_or_long_is_refused(
    dutiful: Dutiful, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
    refused = dutiful("user", "password", "owner@example.org", "--password-stdin")
    assert (refused.code, refused.err) == (1, "A password has 8 to 256 characters.\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["user", "create", "no-address"], "Invalid value for EMAIL: is not an e-mail address"),
        (
            ["user", "create", "d@example.org", "--timezone", "Mars/Base"],
            "Invalid value for --timezone: is not",
        ),
        (["user", "create", "d@example.org", "--name", " "], "Invalid value for --name: "),
        (["user", "set"], "nothing to change: give --email, --name, --timezone or --admin"),
    ],
)
def test_what_cannot_be_is_a_usage_error(dutiful: Dutiful, arguments: list[str], line: str) -> None:
    refused = dutiful(*arguments)
    assert refused.code == 2
    assert line in refused.err


def test_a_stranger_is_told(dutiful: Dutiful) -> None:
    refused = dutiful("token", "create", "x", "--user", "nobody@example.org")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("Nobody here has the e-mail address nobody@example.org.")


def test_passwords_are_argon2id_with_the_recommended_parameters() -> None:
    hashed = asyncio.run(hash_password("pässword 1"))
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not is_outdated(hashed)
    assert asyncio.run(is_password("pässword 1", hashed))
    assert not asyncio.run(is_password("password 1", hashed))
    assert not asyncio.run(is_password("password 1", "no hash"))


# --- the entry --------------------------------------------------------------------------------------------------------


def test_settings_show_where_each_came_from(dutiful: Dutiful, served_folder: Path) -> None:
    assert f"DUTIFUL_DATA_DIR  {served_folder}" in " ".join(dutiful("settings").out.split()).replace(
        " ", "  "
    )
    rows = {row["name"]: row for row in dutiful("settings", "--json").json}
    assert rows["DUTIFUL_DATA_DIR"]["source"] == "environment"
    assert rows["DUTIFUL_WORKERS"]["value"] == "1"


@pytest.mark.parametrize("module", sorted({module for module, _ in COMMANDS.values()}))
def test_the_help_names_the_commands_that_each_module_has(module: str) -> None:
    named = {name for name, (source, _) in COMMANDS.items() if source == module}
    app = typer.Typer()
    importlib.import_module(module).register(app)
    app.callback()(lambda: None)
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    assert set(group.commands) == named


def test_help_loads_neither_database_nor_web_framework(dutiful: Dutiful) -> None:
    assert "serve" in dutiful("--help").out
    heavy = {"sqlalchemy", "fastapi", "alembic", "pydantic", "httpx"}
    program = (
        "import sys; from dutiful.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stderr.split())


def test_the_names_of_told_errors_exist() -> None:
    for name in failures._TOLD:
        module, _, kind = name.rpartition(".")
        __import__(module)
        assert issubclass(getattr(sys.modules[module], kind), Exception)


def test_the_version(dutiful: Dutiful) -> None:
    assert dutiful("--version").out.startswith("dutiful 0.")
