"""What the operator may set, in the environment or in a `.env` file."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

from dotenv.parser import parse_stream
from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy import URL

from dutiful.database_url import check_database_host, database_url_from_parts, parse_database_url

PREFIX = "DUTIFUL_"
POSTGRES_NAMES = ("postgres_user", "postgres_password", "postgres_db", "postgres_host", "postgres_port")
PLAIN_NAMES = ("database_url", *POSTGRES_NAMES, "secret_key")
"""These keep the names that the postgres image and most hosts use; all others begin with `DUTIFUL_`."""
CLIENT_NAMES = ("DUTIFUL_SERVER", "DUTIFUL_TOKEN")
"""Not settings of the server: the command line client reads them."""


class SettingsError(Exception):
    """Its text has one line for each wrong setting, and never a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class SettingRow:
    name: str
    value: str
    """As a person would write it; secrets are masked; empty when not set."""
    source: str
    """`default`, `environment`, `POSTGRES_*`, or the file as it was named, usually `.env`."""
    help: str


def load_settings(
    env_file: str | os.PathLike[str] | None = ".env", environ: Mapping[str, str] | None = None
) -> "Settings":
    """Environment before file before default. A file that does not exist is an empty one.

    Raises SettingsError.
    """
    sources = [_Variables(os.environ if environ is None else environ, "environment")]
    if env_file is not None:
        sources.append(_Variables(_read_file(Path(env_file)), os.fspath(env_file)))
    if unknown := [line for source in sources for line in source.unknown()]:
        raise SettingsError(unknown)
    try:
        return Settings.from_sources(*sources)
    except ValidationError as error:
        raise SettingsError([_problem(details, sources) for details in _details(error)]) from None


def describe(settings: "Settings") -> list[SettingRow]:
    """Every setting in force, for people to read."""
    return [
        SettingRow(env_name(name), _shown(name, settings), settings.source_of(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def env_name(field: str) -> str:
    """`DUTIFUL_PORT` for `port`."""
    return field.upper() if field in PLAIN_NAMES else PREFIX + field.upper()


# --- kinds of values --------------------------------------------------------------------------------------------------


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return [part for part in (piece.strip() for piece in value.split(",")) if part]
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _off_is_none(value: object) -> object:
    return None if _lower(value) == "off" else value


def _full_path(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("names a home folder that does not exist") from None


def _bind_address(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:%-]+", value):
        raise ValueError("must be an address or a host name alone, such as 127.0.0.1 or 0.0.0.0")
    return value


def _origin(value: str) -> str:
    """`https://tasks.example.org`, the form in which browsers send it."""
    parts = _web_address(value, schemes=("http", "https"))
    if parts is None or parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ValueError("must look like https://tasks.example.org, without a path")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _origin_or_star(value: str) -> str:
    return value if value == "*" else _origin(value)


def _star_stands_alone(values: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in values and len(values) > 1:
        raise ValueError("must be * alone or a list of origins")
    return values


def _smtp_url(secret: SecretStr) -> SecretStr:
    if _web_address(secret.get_secret_value(), schemes=("smtp", "smtps")) is None:
        raise ValueError("must look like smtp://user:password@host:587 or smtps://user:password@host:465")
    return secret


def _web_address(value: str, *, schemes: tuple[str, ...]) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable and not re.search(r"\s", value) else None


# From documentation and templates: whoever reads those knows them.
_PLACEHOLDERS = (
    r"changeme|changethis|replaceme|replacethis|placeholder|secretkey|supersecret|example|^secret$"
)
_PUBLISHED_KEYS = ("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",)
_HOW_TO_MAKE_A_KEY = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


def _secret_key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    if plain in _PUBLISHED_KEYS or re.search(_PLACEHOLDERS, plain):
        raise ValueError(f"is a known placeholder; {_HOW_TO_MAKE_A_KEY}")
    if len(text) < 32:
        raise ValueError(f"must have at least 32 characters; {_HOW_TO_MAKE_A_KEY}")
    if len(set(text)) < 8:
        raise ValueError(f"repeats a few characters and can be guessed; {_HOW_TO_MAKE_A_KEY}")
    return secret


def _database_url(secret: SecretStr) -> SecretStr:
    parse_database_url(secret.get_secret_value())
    return secret


def _default_data_dir() -> Path:
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/dutiful")
    return user_data_path("dutiful", appauthor=False)


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
DatabaseHost = Annotated[str, AfterValidator(check_database_host)]
DatabasePort = Annotated[int, Field(ge=1, le=65535)]
SecretKey = Annotated[SecretStr, AfterValidator(_secret_key)]
Folder = Annotated[Path, AfterValidator(_full_path)]
BindAddress = Annotated[str, AfterValidator(_bind_address)]
Origin = Annotated[str, AfterValidator(_origin)]
OriginOrStar = Annotated[str, AfterValidator(_origin_or_star)]
Origins = Annotated[
    tuple[OriginOrStar, ...], BeforeValidator(_split_commas), AfterValidator(_star_stands_alone)
]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_split_commas)]
RateLimit = Annotated[Annotated[int, Field(ge=1, le=1_000_000)] | None, BeforeValidator(_off_is_none)]
SmtpUrl = Annotated[SecretStr, AfterValidator(_smtp_url)]
AccountName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
Seconds = Annotated[float, Field(ge=0.01, le=3600, allow_inf_nan=False)]
SignUp = Annotated[Literal["closed", "open"], BeforeValidator(_lower)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
LogFormat = Annotated[Literal["console", "json"], BeforeValidator(_lower)]


class Settings(BaseSettings):
    """Made by `load_settings`, handed to `create_app`; never a global. The text below a field is its help."""

    model_config = SettingsConfigDict(
        alias_generator=env_name,
        validate_by_name=True,
        case_sensitive=True,
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    database_url: DatabaseUrl | None = None
    """PostgreSQL to use, as postgresql+asyncpg://user:password@host:port/database. Without it the server runs a private one in the data folder."""
    postgres_user: str | None = None
    """Database user, when DATABASE_URL is not set (then: postgres)."""
    postgres_password: SecretStr | None = None
    """Password of the database user, when DATABASE_URL is not set."""
    postgres_db: str | None = None
    """Database name, when DATABASE_URL is not set (then: the name of the user)."""
    postgres_host: DatabaseHost | None = None
    """Database host or folder of its unix socket, when DATABASE_URL is not set (then: localhost)."""
    postgres_port: DatabasePort | None = None
    """Database port, when DATABASE_URL is not set (then: 5432)."""
    secret_key: SecretKey | None = None
    """Signs what clients carry; the same for all replicas, at least 32 characters. Required with a database of your own, else made and kept in the data folder."""
    data_dir: Folder = Field(default_factory=_default_data_dir)
    """Folder for the private PostgreSQL, keys and files."""
    host: BindAddress = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every network."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 for any free one."""
    workers: int = Field(default=1, ge=1, le=64)
    """Server processes."""
    base_url: Origin | None = None
    """Address under which people reach the server, such as https://tasks.example.org. Links in mails and invitations begin with it."""
    trusted_proxies: Networks = ()
    """Addresses or networks of proxies whose X-Forwarded-* headers are believed."""
    cors_origins: Origins = ()
    """Origins of other web pages that may call the API from a browser; * for any."""
    sign_up: SignUp = "closed"
    """Whether strangers may make themselves an account: open or closed."""
    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024, le=1024**3)
    """Largest request body, in bytes."""
    rate_limit_per_user: RateLimit = 3000
    """Requests a minute that one user may send to each process, or off."""
    rate_limit_per_address: RateLimit = 600
    """Requests a minute that one address may send to each process without a token that is known there, or off."""
    log_level: LogLevel = "info"
    """Least important messages to log: debug, info, warning or error."""
    log_format: LogFormat = "console"
    """Form of the log: console for people, json for programs."""
    changes_retention_days: int = Field(default=365, ge=1, le=36500)
    """Days for which the journal of changes is kept; at least DUTIFUL_TRASH_DAYS, because bringing things back needs it."""
    trash_days: int = Field(default=30, ge=1, le=3650)
    """Days for which deleted things can be restored."""
    idempotency_hours: int = Field(default=72, ge=1, le=720)
    """Hours for which the answer to an Idempotency-Key is kept."""
    smtp_url: SmtpUrl | None = None
    """Mail server to send through, as smtp://user:password@host:587 or smtps://; ?from=tasks@example.org names the sender. Without it no mail is sent."""
    postgres_account: AccountName | None = None
    """Account of this machine that runs the private PostgreSQL when the server is started by root (else: dutiful, postgres or nobody, the first that exists)."""
    db_pool_size: int = Field(default=10, ge=1, le=1000)
    """Database connections kept open by each process."""
    db_max_overflow: int = Field(default=2, ge=0, le=1000)
    """Connections beyond the pool that a burst may open for a moment."""
    db_pool_timeout: Seconds = 5
    """Seconds to wait for a free connection."""
    db_pool_recycle: float = Field(default=1800, ge=1, le=604_800, allow_inf_nan=False)
    """Seconds after which a connection is replaced."""
    db_pool_pre_ping: bool = False
    """Whether to test each connection before use; costs a round trip."""
    db_echo: bool = False
    """Whether to log every SQL statement."""
    db_connect_timeout: Seconds = 5
    """Seconds to wait for a new database connection."""
    db_command_timeout: Seconds = 20
    """Seconds after which the driver gives up on an answer, as when the network is cut."""
    db_statement_timeout: Seconds = 15
    """Seconds after which PostgreSQL cancels a statement."""
    db_lock_timeout: Seconds = 3
    """Seconds for which a statement waits for a lock."""
    db_idle_in_transaction_timeout: Seconds = 10
    """Seconds after which PostgreSQL ends a transaction in which nothing happens."""
    request_timeout: Seconds = 30
    """Seconds a request may take in all."""

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """`Settings(...)` takes its arguments alone; only `load_settings` looks around."""
        return (sources["init_settings"],)

    @classmethod
    def from_sources(cls, *sources: "_Variables") -> Self:
        """The first wins."""
        settings = cls(_build_sources=(sources, {}))
        settings._origins = {name: source.origin for source in reversed(sources) for name in source.env_vars}
        return settings

    @model_validator(mode="after")
    def _check_secret_key(self) -> Self:
        if self.secret_key is None and not self.uses_embedded_database:
            cause = "DATABASE_URL" if self.database_url else "POSTGRES_*"
            raise ValueError(f"SECRET_KEY is required with {cause}; {_HOW_TO_MAKE_A_KEY}")
        return self

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        if self.changes_retention_days < self.trash_days:
            raise ValueError(
                f"DUTIFUL_CHANGES_RETENTION_DAYS={self.changes_retention_days} must be at least "
                f"DUTIFUL_TRASH_DAYS={self.trash_days}: what is restored from the trash is found in the journal"
            )
        return self

    @property
    def trash_age(self) -> timedelta:
        """How long what is deleted can be restored."""
        return timedelta(days=self.trash_days)

    @property
    def uses_embedded_database(self) -> bool:
        return self.database_dsn is None

    @property
    def database_dsn(self) -> URL | None:
        """For `create_async_engine`; None means the private PostgreSQL."""
        if self.database_url is not None:
            return parse_database_url(self.database_url.get_secret_value())
        if all(getattr(self, name) is None for name in POSTGRES_NAMES):
            return None
        return database_url_from_parts(
            user=self.postgres_user,
            password=self.postgres_password.get_secret_value() if self.postgres_password else None,
            host=self.postgres_host,
            port=self.postgres_port,
            database=self.postgres_db,
        )

    def source_of(self, field: str) -> str:
        if field == "database_url" and self.database_url is None and not self.uses_embedded_database:
            return "POSTGRES_*"
        given = "code" if field in self.model_fields_set else "default"
        return self._origins.get(env_name(field), given)


# --- where values come from -------------------------------------------------------------------------------------------

_NAMES = tuple(map(env_name, Settings.model_fields))


class _Variables(EnvSettingsSource):
    """What pydantic-settings makes of `os.environ`, made of any mapping."""

    def __init__(self, given: Mapping[str, str], origin: str) -> None:
        self.origin = origin
        self._given = given
        super().__init__(Settings)

    def _load_env_vars(self) -> dict[str, str | None]:
        # An empty value counts as not set: that is how compose files pass on what nobody gave.
        return {name: value for name in _NAMES if (value := self._given.get(name, "").strip())}

    def unknown(self) -> list[str]:
        ours = (name for name in self._given if name.upper().startswith(PREFIX))
        return [_unknown(name, self.origin) for name in ours if name not in (*_NAMES, *CLIENT_NAMES)]


def _read_file(path: Path) -> dict[str, str]:
    """As the dotenv source does, but a broken line is an error, and `${...}` in a password stays as it is."""
    try:
        with path.open(encoding="utf-8") as lines:
            bindings = list(parse_stream(lines))
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise SettingsError([f"{path} is not UTF-8 text"]) from None
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"]) from None
    bad = [binding.original.line for binding in bindings if binding.error]
    if bad:
        raise SettingsError([f"{path} line {line} cannot be read: it should be NAME=value" for line in bad])
    return {binding.key: binding.value or "" for binding in bindings if binding.key}


def _unknown(name: str, origin: str) -> str:
    known = (*_NAMES, *CLIENT_NAMES)
    plain = name.upper().removeprefix(PREFIX)
    close = [plain] if plain in known else get_close_matches(name.upper(), known, n=1)
    hint = f"; did you mean {close[0]}?" if close else "; see: dutiful settings"
    return f"{name} is not a setting{hint} (from {origin})"


# --- what people read -------------------------------------------------------------------------------------------------

_SECRET_NAMES = {
    env_name(n) for n, field in Settings.model_fields.items() if "SecretStr" in repr(field.annotation)
}
_NETWORKS = "must be addresses or networks such as 10.0.0.1 or 10.0.0.0/8"
_REASONS = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must be a name of letters, digits, dots, underscores and hyphens",
    "ip_v4_network": _NETWORKS,
    "ip_v6_network": _NETWORKS,
    "value_error": "{error}",
}


def _details(error: ValidationError) -> list[ErrorDetails]:
    """One for each setting: a list or a union reports every part and every try."""
    by_name: dict[Any, ErrorDetails] = {}
    for details in error.errors(include_url=False, include_input=False):
        by_name.setdefault(details["loc"][:1], details)
    return list(by_name.values())


def _problem(details: ErrorDetails, sources: list[_Variables]) -> str:
    template = _REASONS.get(details["type"])
    reason = template.format(**details.get("ctx", {})) if template else details["msg"]
    if not details["loc"]:
        return reason
    name = str(details["loc"][0])
    source = next(source for source in sources if name in source.env_vars)
    given = "" if name in _SECRET_NAMES else f"={_one_line(str(source.env_vars[name]))}"
    return f"{name}{given} is not valid: {reason} (from {source.origin})"


def _one_line(value: str) -> str:
    """Without what might be a password in an address, and short enough to read."""
    value = re.sub(r"//[^/]*@", "//***@", value)
    value = value if value.isprintable() else ascii(value)
    return value if len(value) <= 80 else f"{value[:77]}..."


def _shown(field: str, settings: Settings) -> str:
    value: Any = settings.database_dsn if field == "database_url" else getattr(settings, field)
    if field == "smtp_url" and value is not None:
        value = _without_password(value.get_secret_value())
    match value:
        case None:
            return "off" if field.startswith("rate_limit") else ""
        case URL():
            return value.render_as_string(hide_password=True)
        case SecretStr():
            return "********"
        case tuple():
            return ",".join(map(str, value))
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    if parts.password is None:
        return address
    _, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{parts.username}:***@{host}").geturl()
