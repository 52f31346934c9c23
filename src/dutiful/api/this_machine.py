"""Whether a request comes from the machine that the server runs on."""

from functools import lru_cache
from ipaddress import ip_address

from starlette.types import Scope

# What proxies and content networks add; of those that begin with X-Forwarded- there are many.
_FORWARDED = frozenset(
    {
        b"cdn-loop",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-ray",
        b"client-ip",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"forwarded",
        b"true-client-ip",
        b"via",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-envoy-external-address",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"x-real-ip",
    }
)


def is_from_this_machine(scope: Scope) -> bool:
    """What a proxy on this machine passes on comes from the loopback too, but says so."""
    client = scope["client"]
    if client is None or not _is_loopback(client[0]):
        return False
    return not any(name in _FORWARDED or name.startswith(b"x-forwarded-") for name, _ in scope["headers"])


@lru_cache(maxsize=1000)
def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
