"""Optimistic concurrency: what a client believes the version of a thing to be."""

from dataclasses import dataclass

from dutiful.errors import StaleVersion, Versioned


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions under which a write may go on (`If-Match`). None: any, as long as the thing exists."""

    versions: frozenset[int] | None = None

    def check(self, thing: Versioned) -> None:
        if self.versions is not None and thing.version not in self.versions:
            raise StaleVersion(thing)


ANY = Expected()
