"""The express lane: four requests that most traffic consists of, each answered with one or two statements.

It stands in front of the routes and answers only when everything is as it commonly is. Whatever it does not know, and
whatever is to be refused, it hands on, and the plain path answers as if the lane were not there. That path is the
specification, and the tests hold the one against the other.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from fastapi.routing import iter_route_contexts
from starlette import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from dutiful.accounts.authentication import note_use
from dutiful.api.express import creates, reads, updates
from dutiful.api.express.asking import Askers
from dutiful.api.express.request import Answer, Request, is_id, is_whole, read, read_body, replayed
from dutiful.api.idempotency import fingerprint
from dutiful.api.problems import answer_known
from dutiful.database.direct import DirectPool, is_undone
from dutiful.database.session import Database, outcome_unknown
from dutiful.settings import Settings

_TASKS = "/api/v1/tasks"
_ONE = f"{_TASKS}/"

Way = Callable[[DirectPool, Request], Awaitable[Answer | None]]
"""Answers None for what it does not know, or would have to refuse."""

log = logging.getLogger(__name__)


class ExpressLane:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._routes: Mapping[str, object] = {}
        self._askers = Askers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = _choose(scope)
        request = None if chosen is None else read(scope, self._askers)
        if chosen is None or request is None or not scope["app"].state.direct_pool.is_usable:
            await self.app(scope, receive, send)
            return
        if request.takes_body:
            messages = await read_body(request, receive)
            receive = replayed(messages, receive)
            if not is_whole(messages):
                await self.app(scope, receive, send)
                return
            if request.key is not None:
                request.fingerprint = _fingerprint(scope, request)
        name, way = chosen
        try:
            answer = await way(scope["app"].state.direct_pool, request)
        except Exception as error:
            # With a key the plain path may ask again: it is done once.
            if request.may_be_written and request.key is None and not is_undone(error):
                log.exception("a write may or may not have been committed")
                response = await answer_known(requests.Request(scope), outcome_unknown())
                await response(scope, receive, send)
                return
            # The plain path finds out what is the matter, and says so.
            log.debug("handed on", exc_info=True)
            answer = None
        if answer is None:
            await self.app(scope, receive, send)
        else:
            await self._note(scope, name, answer)
            await _send(send, answer)

    async def _note(self, scope: Scope, name: str, answer: Answer) -> None:
        """What the plain path leaves behind for those who count and log."""
        database: Database = scope["app"].state.database
        scope["route"] = self._route(scope, name)
        scope["state"]["actor"] = answer.asker
        if answer.appended is not None:
            database.tell_of_commit(answer.appended)
        await note_use(database, answer.asker)

    def _route(self, scope: Scope, name: str) -> object:
        if not self._routes:
            self._routes = {
                each.original_route.name: each.original_route  # type: ignore[attr-defined]
                for each in iter_route_contexts(scope["app"].routes)
            }
        return self._routes[name]


def _choose(scope: Scope) -> tuple[str, Way] | None:
    """The route it would be, and the way to answer it."""
    if scope["type"] != "http" or not scope["path"].startswith(_TASKS):
        return None
    rest = scope["path"][len(_ONE) :]
    match scope["method"], scope["path"] == _TASKS, is_id(rest):
        case "GET", True, _:
            return "list_tasks", reads.list_tasks
        case "POST", True, _:
            return "create_task", creates.create_task
        case "POST", _, _ if rest == "batch":
            return "create_tasks", creates.create_tasks
        case "GET", _, True:
            return "get_task", partial(reads.get_task, task_id=int(rest))
        case "PATCH", _, True:
            return "update_task", partial(updates.update_task, task_id=int(rest))
        case "PUT", _, True:
            return "replace_task", partial(updates.update_task, task_id=int(rest))
        case _:
            return None


def _fingerprint(scope: Scope, request: Request) -> bytes:
    if_match = request.headers.get("if-match", "")
    settings: Settings = scope["app"].state.settings
    return fingerprint(settings, scope["method"], scope["path"], "", if_match, request.body)


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(answer.body)),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
