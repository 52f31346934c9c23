"""The outermost layer: gives every request an id of our own making, so that answer, log and journal can be put side
by side, and the headers that browsers obey; has it observed, and refuses in our words a body that says it is too large."""

from time import perf_counter

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dutiful import logs, uuids
from dutiful.api.observing import Observer
from dutiful.api.problems import REFUSALS, problem
from dutiful.api.security_headers import with_security_headers


class RequestIdMiddleware:
    """Plain ASGI: the base class for middleware costs a task and two streams for each request."""

    def __init__(self, app: ASGIApp, max_body_size: int, observer: Observer) -> None:
        self.app = app
        self.max_body_size = max_body_size
        self.observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        request_id = uuids.new()
        scope.setdefault("state", {})["request_id"] = request_id
        name = str(request_id)
        logs.request_id.set(name)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                headers = with_security_headers(message["headers"])
                headers.append((b"x-request-id", name.encode()))
                if scope["app"].state.draining or message["status"] == 500:
                    # The client must come back to another server, over another connection. And after a fault that
                    # nobody foresaw uvicorn hangs up: who is not told may send the next request into nothing.
                    headers.append((b"connection", b"close"))
                message["headers"] = headers
                status = message["status"]
            await send(message)

        self.observer.began(scope)
        app = self._refuse if self._says_it_is_too_large(scope) else self.app
        try:
            await app(scope, receive, send_with_id)
        finally:
            self.observer.ended(scope, status, perf_counter() - began)

    def _says_it_is_too_large(self, scope: Scope) -> bool:
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        # Python refuses to read numbers of thousands of digits; twenty are too many for any body.
        return length.isdigit() and (len(length.lstrip(b"0")) > 20 or int(length[-20:]) > self.max_body_size)

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await problem(Request(scope), 413, *REFUSALS[413])(scope, receive, send)
