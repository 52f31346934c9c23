"""Headers for browsers, of every answer that does not say something else itself.

What the REST cheat sheet of OWASP asks for, apart from Strict-Transport-Security, which is for whoever has the
certificate (see deploy/), and X-Frame-Options, which browsers that know `frame-ancestors` do not read.
"""

from collections.abc import Iterable

Raw = tuple[bytes, bytes]

SECURITY_HEADERS: tuple[Raw, ...] = (
    # Of what people wrote nothing stays behind in a browser. Who keeps things with their ETags still gets a 304.
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def with_security_headers(headers: Iterable[Raw]) -> list[Raw]:
    own = list(headers)
    names = {name for name, _ in own}
    return own + [header for header in SECURITY_HEADERS if header[0] not in names]
