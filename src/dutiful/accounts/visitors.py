"""Where a request comes from, as far as signing in wants to know."""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class Visitor:
    """`address`: of the socket, or what a trusted proxy says; None when it is no IP address (a unix socket)."""

    address: str | None = None
    user_agent: str | None = None

    @classmethod
    def of(cls, host: str | None, user_agent: str | None) -> "Visitor":
        return cls(_as_address(host or ""), user_agent[:300] if user_agent else None)

    @property
    def network(self) -> str:
        """What one person may have all of: an IPv4 address, or the 2⁶⁴ IPv6 addresses behind one connection. Hashed,
        so that a table of these tells nobody's address."""
        return _digest("network", _network(self.address))


def email_digest(email: str) -> str:
    return _digest("email", email.lower())


def _as_address(host: str) -> str | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _network(address: str | None) -> str:
    if address is None:
        return ""
    parsed = ip_address(address)
    return str(int(parsed) >> 64) if isinstance(parsed, IPv6Address) else address


def _digest(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:40]
