"""The settings: can they be read, do they fit together, and who else can read them."""

import ipaddress
import stat
from pathlib import Path
from urllib.parse import urlsplit

from dutiful.cli.doctor.findings import Findings
from dutiful.settings import Settings, SettingsError, load_settings

_FILE = Path(".env")


def check_settings() -> tuple[Findings, Settings | None]:
    """Without settings hardly anything else can be looked at."""
    found = Findings("Settings")
    _check_file(found)
    try:
        settings = load_settings()
    except SettingsError as error:
        for line in error.problems:
            found.problem(line, "Put it right in the environment or in .env; see .env.example.")
        return found, None
    found.ok(f"All can be read; the data folder is {settings.data_dir}.")
    _check_address(found, settings)
    return found, settings


def _check_file(found: Findings) -> None:
    if _FILE.is_file() and stat.S_IMODE(_FILE.stat().st_mode) & 0o077:
        found.warn(f"{_FILE.absolute()} can be read by other accounts of this machine.", "chmod 600 .env")


def _check_address(found: Findings, settings: Settings) -> None:
    if not _is_loopback(settings.host) and not settings.trusted_proxies:
        found.warn(
            f"DUTIFUL_HOST={settings.host} is reachable from other machines, without a proxy and so without TLS.",
            "Put a reverse proxy in front and name it in DUTIFUL_TRUSTED_PROXIES, or listen on 127.0.0.1.",
        )
    if any(network.prefixlen == 0 for network in settings.trusted_proxies):
        found.warn(
            "DUTIFUL_TRUSTED_PROXIES believes everybody's word about where a request came from.",
            "Name the addresses of your proxies only.",
        )
    if settings.base_url and settings.base_url.startswith("http:"):
        host = urlsplit(settings.base_url).hostname or ""
        if not _is_loopback(host):
            found.warn(
                "DUTIFUL_BASE_URL is http: passwords and tokens travel in the clear.", "Serve it with https."
            )
    if settings.smtp_url is not None and settings.base_url is None:
        found.warn("Mail is set up, but links in it need an address.", "Set DUTIFUL_BASE_URL.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
