import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from dutiful.database_url import parse_database_url
from dutiful.settings import (
    Settings,
    SettingsError,
    describe,
    env_name,
    load_settings,
)

REPOSITORY = Path(__file__).parents[2]
KEY = "kD3v9wQ0rTz7LmXb2HsYc8NfJp5GuEa1"
URL = "postgresql+asyncpg://ann:s3cret@db.example.org:5433/tasks"


def load(**environ: str) -> Settings:
    return load_settings(env_file=None, environ=environ)


def problem(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**environ)
    return str(caught.value)


def rows(settings: Settings) -> dict[str, tuple[str, str]]:
    return {row.name: (row.value, row.source) for row in describe(settings)}


# --- defaults and sources ---------------------------------------------------------------------------------------------


def test_nothing_set_gives_a_private_server_on_this_machine() -> None:
    settings = load()
    assert settings.uses_embedded_database
    assert settings.database_dsn is None
    assert settings.secret_key is None
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert (settings.sign_up, settings.max_body_bytes) == ("closed", 10 * 1024 * 1024)


def test_pool_and_timeouts_have_their_documented_defaults() -> None:
    settings = load()
    assert (settings.db_pool_size, settings.db_max_overflow) == (10, 2)
    assert (settings.db_pool_timeout, settings.db_pool_recycle) == (5, 1800)
    assert (settings.db_pool_pre_ping, settings.db_echo) == (False, False)
    assert (settings.db_connect_timeout, settings.db_command_timeout) == (5, 20)
    assert (settings.db_statement_timeout, settings.db_lock_timeout) == (15, 3)
    assert (settings.db_idle_in_transaction_timeout, settings.request_timeout) == (10, 30)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("DUTIFUL_PORT=8001\nDUTIFUL_WORKERS=3\n")
    settings = load_settings(env_file=env_file, environ={"DUTIFUL_PORT": "8002"})
    assert (settings.port, settings.workers, settings.host) == (8002, 3, "127.0.0.1")


def test_each_value_knows_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("DUTIFUL_PORT=8001\nDUTIFUL_WORKERS=3\n")
    shown = rows(load_settings(environ={"DUTIFUL_PORT": "8002"}))
    assert shown["DUTIFUL_PORT"] == ("8002", "environment")
    assert shown["DUTIFUL_WORKERS"] == ("3", ".env")
    assert shown["DUTIFUL_HOST"] == ("127.0.0.1", "default")


def test_the_environment_of_the_process_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUTIFUL_PORT", "8123")
    assert load_settings(env_file=None).port == 8123


def test_settings_made_in_code_ignore_the_environment_and_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUTIFUL_PORT", "8123")
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("DUTIFUL_PORT=8124\n")
    settings = Settings(workers=2)
    assert settings.port == 8000
    assert rows(settings)["DUTIFUL_WORKERS"] == ("2", "code")


def test_a_file_that_does_not_exist_is_an_empty_one(tmp_path: Path) -> None:
    assert load_settings(env_file=tmp_path / "none", environ={}) == load()


def test_an_empty_value_counts_as_not_set() -> None:
    settings = load(DUTIFUL_PORT="", DATABASE_URL=" ", DUTIFUL_CORS_ORIGINS="")
    assert settings.port == 8000
    assert settings.uses_embedded_database
    assert rows(settings)["DUTIFUL_PORT"] == ("8000", "default")


def test_a_file_may_have_comments_quotes_export_and_dollar_signs(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "# mine\nexport DUTIFUL_PORT='8001' # the port\nPOSTGRES_PASSWORD=a${HOME}$b\n"
        f"POSTGRES_HOST=db\nSECRET_KEY={KEY}\n"
    )
    settings = load_settings(env_file=env_file, environ={})
    assert settings.port == 8001
    assert settings.postgres_password == SecretStr("a${HOME}$b")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"\xef\xbb\xbfDUTIFUL_PORT=8001\n")
    assert load_settings(env_file=env_file, environ={}).port == 8001


def test_a_line_that_cannot_be_read_is_named_without_its_content(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("DUTIFUL_PORT=8001\nSECRET_KEY='s3cret\n")
    with pytest.raises(SettingsError, match=r"line 2 cannot be read") as caught:
        load_settings(env_file=env_file, environ={})
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_not_text_or_is_a_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"DUTIFUL_HOST=\xe4\n")
    for path, reason in [(tmp_path / "latin", "is not UTF-8 text"), (tmp_path, "cannot be read")]:
        with pytest.raises(SettingsError, match=reason):
            load_settings(env_file=path, environ={})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load().port = 1  # type: ignore[misc]


# --- values -----------------------------------------------------------------------------------------------------------


def test_lists_are_separated_by_commas() -> None:
    settings = load(
        DUTIFUL_TRUSTED_PROXIES="10.0.0.0/8, ::1",
        DUTIFUL_CORS_ORIGINS="https://a.example.org,http://localhost:3000/,",
    )
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert settings.cors_origins == ("https://a.example.org", "http://localhost:3000")


def test_the_rate_limit_can_be_off() -> None:
    assert load(DUTIFUL_RATE_LIMIT_PER_USER="Off").rate_limit_per_user is None
    assert load(DUTIFUL_RATE_LIMIT_PER_ADDRESS="60").rate_limit_per_address == 60


def test_the_log_is_for_people_unless_programs_read_it() -> None:
    assert load().log_format == "console"
    assert "must be 'console' or 'json'" in problem(DUTIFUL_LOG_FORMAT="text")


def test_the_account_of_the_private_database_may_stay_open() -> None:
    assert load().postgres_account is None
    assert load(DUTIFUL_POSTGRES_ACCOUNT="dutiful").postgres_account == "dutiful"


def test_words_may_be_written_in_capitals() -> None:
    settings = load(DUTIFUL_LOG_LEVEL="WARNING", DUTIFUL_LOG_FORMAT="JSON", DUTIFUL_SIGN_UP="Open")
    assert (settings.log_level, settings.log_format, settings.sign_up) == ("warning", "json", "open")


def test_the_base_url_loses_its_slash_and_its_capitals() -> None:
    assert load(DUTIFUL_BASE_URL="https://Tasks.example.org/").base_url == "https://tasks.example.org"


def test_the_data_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(DUTIFUL_DATA_DIR="data").data_dir == tmp_path / "data"
    assert load(DUTIFUL_DATA_DIR="~/data").data_dir == tmp_path / "home" / "data"


def test_the_data_folder_of_root_is_the_systems_and_of_others_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert load().data_dir == Path("/var/lib/dutiful")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("dutiful.settings.user_data_path", lambda name, **_: tmp_path / name)
    assert load().data_dir == tmp_path / "dutiful"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DUTIFUL_PORT", "99999", "must be at most 65535"),
        ("DUTIFUL_PORT", "-1", "must be at least 0"),
        ("DUTIFUL_PORT", "http", "must be a whole number"),
        ("DUTIFUL_PORT", "80.5", "must be a whole number"),
        ("DUTIFUL_WORKERS", "0", "must be at least 1"),
        ("DUTIFUL_HOST", "http://0.0.0.0", "must be an address or a host name alone"),
        ("DUTIFUL_BASE_URL", "tasks.example.org", "must look like https://tasks.example.org"),
        ("DUTIFUL_BASE_URL", "https://example.org/tasks", "without a path"),
        ("DUTIFUL_BASE_URL", "https://example.org:port", "must look like"),
        ("DUTIFUL_BASE_URL", "ftp://example.org", "must look like"),
        ("DUTIFUL_TRUSTED_PROXIES", "127.0.0.1,proxy", "must be addresses or networks"),
        ("DUTIFUL_CORS_ORIGINS", "https://a.example.org,*", "must be * alone or a list of origins"),
        ("DUTIFUL_CORS_ORIGINS", "a.example.org", "must look like"),
        ("DUTIFUL_SIGN_UP", "maybe", "must be 'closed' or 'open'"),
        ("DUTIFUL_MAX_BODY_BYTES", "10M", "must be a whole number"),
        ("DUTIFUL_RATE_LIMIT_PER_USER", "0", "must be at least 1"),
        ("DUTIFUL_RATE_LIMIT_PER_ADDRESS", "none", "must be a whole number"),
        ("DUTIFUL_LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning' or 'error'"),
        ("DUTIFUL_TRASH_DAYS", "0", "must be at least 1"),
        ("DUTIFUL_IDEMPOTENCY_HOURS", "9999", "must be at most 720"),
        ("DUTIFUL_POSTGRES_ACCOUNT", "a b", "must be a name"),
        ("DUTIFUL_DATA_DIR", "~nobody-of-that-name/x", "names a home folder that does not exist"),
        ("DUTIFUL_DB_ECHO", "perhaps", "must be true or false"),
        ("DUTIFUL_DB_POOL_SIZE", "0", "must be at least 1"),
        # PostgreSQL and the driver read zero as "for ever".
        ("DUTIFUL_DB_LOCK_TIMEOUT", "0", "must be at least 0.01"),
        ("DUTIFUL_DB_COMMAND_TIMEOUT", "inf", "must be a number"),
        ("DUTIFUL_REQUEST_TIMEOUT", "soon", "must be a number"),
        ("POSTGRES_PORT", "0", "must be at least 1"),
        ("POSTGRES_HOST", "h1,h2", "must be one host name"),
    ],
)
def test_a_wrong_value_is_one_clear_line(name: str, value: str, reason: str) -> None:
    line = problem(**{name: value})
    assert line.startswith(f"{name}={value} is not valid: ")
    assert reason in line
    assert line.endswith("(from environment)")
    assert "\n" not in line


def test_the_line_says_exactly_what_is_wrong_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("DUTIFUL_PORT=99999\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={})
    assert str(caught.value) == "DUTIFUL_PORT=99999 is not valid: must be at most 65535 (from .env)"


def test_every_wrong_setting_gets_its_line() -> None:
    text = problem(DUTIFUL_PORT="x", DUTIFUL_WORKERS="0", DUTIFUL_TRUSTED_PROXIES="a,b,c")
    assert [line.partition("=")[0] for line in text.splitlines()] == [
        "DUTIFUL_PORT",
        "DUTIFUL_WORKERS",
        "DUTIFUL_TRUSTED_PROXIES",
    ]


def test_a_value_of_several_lines_or_great_length_still_gives_one_short_line() -> None:
    line = problem(DUTIFUL_LOG_LEVEL="a\nb" + "c" * 500)
    assert "\n" not in line
    assert len(line) < 250


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("DUTIFUL_PROT", "DUTIFUL_PORT"),
        ("DUTIFUL_DB_POOLSIZE", "DUTIFUL_DB_POOL_SIZE"),
        ("dutiful_port", "DUTIFUL_PORT"),
        ("DUTIFUL_DATABASE_URL", "DATABASE_URL"),
        ("DUTIFUL_SECRET_KEY", "SECRET_KEY"),
    ],
)
def test_a_misspelt_name_is_refused_with_a_guess(wrong: str, right: str) -> None:
    assert problem(**{wrong: "s3cret"}) == (
        f"{wrong} is not a setting; did you mean {right}? (from environment)"
    )


def test_a_misspelt_name_in_the_file_is_refused_too(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("DUTIFUL_QQQQQQQQQQQQQQQQ=1\n")
    with pytest.raises(SettingsError, match=r"is not a setting; see: dutiful settings \(from .*\.env\)"):
        load_settings(env_file=env_file, environ={})


def test_every_misspelt_name_gets_its_line(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("DUTIFUL_WORKER=2\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(env_file=env_file, environ={"DUTIFUL_PROT": "1"})
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == [
        "DUTIFUL_PROT",
        "DUTIFUL_WORKER",
    ]


def test_what_the_command_line_client_reads_is_no_misspelt_name() -> None:
    assert load(DUTIFUL_SERVER="https://tasks.example.org", DUTIFUL_TOKEN="t") == load()
    assert "did you mean DUTIFUL_TOKEN?" in problem(DUTIFUL_TOKN="t")


def test_names_without_the_prefix_or_in_small_letters_are_not_ours() -> None:
    assert load(port="1", PORT="1", host="h", database_url="x", secret_key="x") == load()


def test_names_of_other_programs_do_not_matter() -> None:
    assert load(PATH="/bin", POSTGRES_INITDB_ARGS="x", REDUTIFUL="1") == load()


# --- the database -----------------------------------------------------------------------------------------------------


def test_a_database_url_that_will_not_work_is_refused_with_the_reason_and_without_the_password() -> None:
    line = problem(DATABASE_URL="mysql://ann:s3cret@h/tasks", SECRET_KEY=KEY)
    assert line.startswith("DATABASE_URL is not valid: asks for mysql; ")
    assert line.endswith("(from environment)")
    assert "s3cret" not in line


def test_parts_are_put_together_and_quoted() -> None:
    settings = load(
        POSTGRES_USER="ann@home",
        POSTGRES_PASSWORD="p@ss/:w%41 ",
        POSTGRES_DB="my tasks",
        POSTGRES_HOST="db",
        POSTGRES_PORT="5433",
        SECRET_KEY=KEY,
    )
    dsn = settings.database_dsn
    assert dsn is not None
    assert not settings.uses_embedded_database
    assert parse_database_url(dsn.render_as_string(hide_password=False)) == dsn
    assert (dsn.host, dsn.port, dsn.database) == ("db", 5433, "my tasks")
    assert (dsn.username, dsn.password) == ("ann@home", "p@ss/:w%41")
    assert rows(settings)["DATABASE_URL"][1] == "POSTGRES_*"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("POSTGRES_HOST", "db", "postgresql+asyncpg://postgres@db:5432/postgres"),
        ("POSTGRES_USER", "ann", "postgresql+asyncpg://ann@localhost:5432/ann"),
        ("POSTGRES_DB", "tasks", "postgresql+asyncpg://postgres@localhost:5432/tasks"),
        ("POSTGRES_HOST", "::1", "postgresql+asyncpg://postgres@[::1]:5432/postgres"),
        ("POSTGRES_HOST", "/run/pg", "postgresql+asyncpg://postgres@:5432/postgres?host=/run/pg"),
    ],
)
def test_any_one_part_is_enough(name: str, value: str, expected: str) -> None:
    dsn = load(**{name: value, "SECRET_KEY": KEY}).database_dsn
    assert dsn is not None
    assert dsn.render_as_string(hide_password=False).replace("%2F", "/") == expected


def test_the_whole_url_wins_over_the_parts() -> None:
    settings = load(DATABASE_URL=URL, POSTGRES_HOST="other", SECRET_KEY=KEY)
    assert settings.database_dsn == parse_database_url(URL)


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_the_journal_is_kept_at_least_as_long_as_the_trash() -> None:
    line = problem(DUTIFUL_CHANGES_RETENTION_DAYS="7")
    assert line.startswith("DUTIFUL_CHANGES_RETENTION_DAYS=7 must be at least DUTIFUL_TRASH_DAYS=30")
    assert load(DUTIFUL_CHANGES_RETENTION_DAYS="7", DUTIFUL_TRASH_DAYS="7").trash_days == 7


@pytest.mark.parametrize("given", [{"DATABASE_URL": URL}, {"POSTGRES_HOST": "db"}])
def test_a_database_of_your_own_needs_a_secret_key(given: dict[str, str]) -> None:
    line = problem(**given)
    assert line.startswith("SECRET_KEY is required with ")
    assert "token_urlsafe" in line
    assert "s3cret" not in line


@pytest.mark.parametrize(
    "key",
    [
        "secret",
        "changeme",
        "CHANGE_ME",
        "changethis",
        "your-secret-key",
        "your-secret-key-your-secret-key-your-secret-key",
        "please replace me before you go live, will you",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    ],
)
def test_a_known_placeholder_is_no_secret(key: str) -> None:
    line = problem(SECRET_KEY=key)
    assert "SECRET_KEY is not valid: is a known placeholder" in line
    assert key not in line.replace("token_urlsafe", "").replace("import secrets", "").replace("secrets.", "")


def test_the_key_in_the_example_file_is_no_secret() -> None:
    example = re.search(r"^# SECRET_KEY=(.+)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)
    assert example is not None
    assert "known placeholder" in problem(SECRET_KEY=example[1])


@pytest.mark.parametrize(
    ("key", "reason"), [(KEY[:31], "at least 32 characters"), ("ab" * 20, "repeats a few characters")]
)
def test_a_key_that_can_be_guessed_is_refused(key: str, reason: str) -> None:
    line = problem(SECRET_KEY=key)
    assert reason in line
    assert key not in line


def test_a_good_key_is_taken() -> None:
    assert load(SECRET_KEY=KEY).secret_key == SecretStr(KEY)


SECRETS = {
    "DATABASE_URL": URL,
    "POSTGRES_PASSWORD": "s3cret",
    "SECRET_KEY": "s3cret" + KEY,
    "DUTIFUL_SMTP_URL": "smtp://ann:s3cret@mail.example.org:587",
}


def test_no_secret_is_shown_by_describe_or_repr() -> None:
    settings = load(**SECRETS)
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(describe(settings))
    shown = rows(settings)
    assert shown["DATABASE_URL"][0] == "postgresql+asyncpg://ann:***@db.example.org:5433/tasks"
    assert shown["DUTIFUL_SMTP_URL"][0] == "smtp://ann:***@mail.example.org:587"
    assert shown["SECRET_KEY"][0] == shown["POSTGRES_PASSWORD"][0] == "********"


def test_no_part_of_a_mail_password_with_an_at_sign_is_shown() -> None:
    shown = rows(load(DUTIFUL_SMTP_URL="smtps://ann:p@ss@mail.example.org:465"))
    assert shown["DUTIFUL_SMTP_URL"][0] == "smtps://ann:***@mail.example.org:465"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://ann:s3cret@h/tasks"),
        ("DUTIFUL_SMTP_URL", "mail://ann:s3cret@h"),
        ("DUTIFUL_BASE_URL", "https://ann:s3cret@h"),
        ("SECRET_KEY", "s3cret-s3cret"),
    ],
)
def test_no_secret_is_shown_by_an_error(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**{name: value})
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(ValidationError) as raw:
        Settings.model_validate({name.lower().removeprefix("dutiful_"): value})
    assert "s3cret" not in str(raw.value)


# --- what is documented -----------------------------------------------------------------------------------------------


def test_every_setting_has_a_one_line_description() -> None:
    for row in describe(load()):
        assert row.help.endswith(".")
        assert "\n" not in row.help


def test_every_default_can_be_written_as_it_is_shown() -> None:
    written = {row.name: row.value for row in describe(load())}
    assert load(**written).model_dump() == load().model_dump()


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    example = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    assert sorted(example) == sorted(map(env_name, Settings.model_fields))
    shown = {row.name: row.value for row in describe(load()) if row.name.startswith("DUTIFUL_")}
    shown["DUTIFUL_DATA_DIR"] = ""
    assert {name: value for name, value in example.items() if name in shown} == shown


def test_the_example_file_as_it_is_changes_nothing() -> None:
    assert load_settings(env_file=REPOSITORY / ".env.example", environ={}) == load()
