"""Clients that follow the feed, however often they are cut off, and keep the last id they were told."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Protocol

import httpx
from tests.support.people import API, Person


class Follower(Protocol):
    seen: list[tuple[int, int]]
    is_stopped: bool

    async def run(self) -> None: ...


@dataclass
class Poller:
    person: Person
    after: str
    seen: list[tuple[int, int]] = field(default_factory=list)
    """Workspace and seq of each change, in the order it came."""
    is_stopped: bool = False

    async def run(self) -> None:
        """Until it is stopped and there is no more."""
        while True:
            was_stopped = self.is_stopped
            try:
                answer = await self.person.get("/changes", params={"after": self.after, "limit": 50})
            except httpx.HTTPError:
                answer = None
            if answer is None or answer.status_code != 200:
                await asyncio.sleep(0.05)
                continue
            page = answer.json()
            self.seen += [(item["workspace_id"], item["seq"]) for item in page["items"]]
            self.after = page["next_cursor"]
            if not page["items"]:
                if was_stopped:
                    return
                await asyncio.sleep(0.05)


@dataclass
class Streamer:
    person: Person
    after: str
    seen: list[tuple[int, int]] = field(default_factory=list)
    is_stopped: bool = False
    connections: int = 0

    async def run(self) -> None:
        """Until it is stopped, and what there was by then has come."""
        while not self.is_stopped:
            try:
                await self._follow()
            except httpx.HTTPError:
                await asyncio.sleep(0.05)

    async def _follow(self) -> None:
        headers = {"Authorization": f"Bearer {self.person.token}", "Last-Event-ID": self.after}
        async with self.person.client.stream(
            "GET", f"{API}/changes/stream", headers=headers, timeout=httpx.Timeout(5, read=20)
        ) as answer:
            if answer.status_code != 200:
                await asyncio.sleep(0.05)
                return
            self.connections += 1
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                    continue
                self._note(event)
                event = {}
                if self.is_stopped:
                    return

    def _note(self, event: dict[str, str]) -> None:
        if event.get("event") == "change":
            change = json.loads(event["data"])
            self.seen.append((change["workspace_id"], change["seq"]))
        if event.get("event") in {"change", "position"}:
            self.after = event["id"]


def missed(follower: Follower, expected: list[tuple[int, int]]) -> int:
    return len(set(expected) - set(follower.seen))


def told_twice(follower: Follower) -> int:
    return len(follower.seen) - len(set(follower.seen))


def out_of_order(follower: Follower) -> int:
    last: dict[int, int] = {}
    wrong = 0
    for workspace_id, seq in follower.seen:
        wrong += seq <= last.get(workspace_id, 0)
        last[workspace_id] = seq
    return wrong
