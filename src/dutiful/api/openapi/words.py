"""What the description says in sentences."""

from collections.abc import Mapping

OVERVIEW = """\
**What was answered with a 2xx is committed; with an `Idempotency-Key` anything else can be repeated without harm.**

**Token.** Send `Authorization: Bearer dtf_…`. Make one with `dutiful token create NAME`, or `POST /api/v1/tokens`. Its scope is `read`,
`write` or `admin`; each includes those before it.

**Errors** are `application/problem+json` (RFC 9457). `code` is stable, `detail` says what to do, `errors[]` names each fault with a
JSON pointer, `request_id` finds the request in the server's log. What you may not see is a 404, as if it did not exist.

**Repeating.** Give every write an `Idempotency-Key` of your own making (a UUID will do). The same request with the same key is
answered again, and done once. Without a key, a 503 with the code `outcome_unknown` leaves open whether it was done.

**Versions.** Things carry a `version`, and answers an `ETag`. Send it as `If-Match` with a change, and a change that would
overwrite somebody else's is a 412 with the current state. Send it as `If-None-Match` with a read, and 304 says that nothing changed.

**Changing.** PATCH is a JSON merge patch (RFC 7396): only what you send changes, null clears. `application/merge-patch+json` is
taken like `application/json`. PUT does the same, so that a client that knows fewer fields wipes none.

**Lists** come in pages of `limit` items. Follow `next_cursor` until it is null, or count with `skip`.

**Limits.** Too many requests in a minute are a 429 with the code `rate_limited`: wait for `Retry-After` seconds, and send batches.

**Following.** Every write answers with `Dutiful-Cursor`, the place in the feed of changes that includes it. `GET /api/v1/changes`
gives what came after, in the order of commit and without holes.

**Unknown** fields and query parameters are refused, because one that is misspelt would be lost without a word. Clients should
ignore fields of answers that they do not know: new ones come without notice. Of a key that a JSON object has twice the last counts.
"""

TAGS: Mapping[str, str] = {
    "tasks": "The things to do.",
    "batch": "Many operations in one transaction: all or none.",
    "imports": "Tasks from files of other programs.",
    "projects": "Ordered lists of tasks.",
    "sections": "The parts of a project: the columns of its board.",
    "labels": "Words on tasks.",
    "workspaces": "What is shared: each has its own projects, labels and members.",
    "members": "Who is in a workspace, and what they may do there.",
    "invitations": "Links that make whoever has one a member.",
    "sessions": "Signing in and out.",
    "users": "People.",
    "tokens": "Keys for programs.",
    "changes": "The feed: every change of a workspace, in the order of commit.",
    "trash": "What was deleted, and can be restored for a while.",
    "undo": "Taking changes back.",
    "health": "For probes and monitoring; outside `/api/v1`.",
}

PARAMETERS: Mapping[str, str] = {
    "limit": "How many at most.",
    "skip": "How many to leave out first. For far pages a cursor is faster and exact.",
    "cursor": "`next_cursor` of the page before.",
    "sort": "The order; with a minus sign in front from the last to the first.",
    "status": "Only those that are open, done or cancelled.",
    "priority": "Only those of this priority.",
    "archived": "Only those that are archived, or only those that are not.",
    "format": "The program that wrote the file.",
    "q": "Words to look for.",
}
"""Of the parameters that do not describe themselves, by name. `…_id` needs no entry."""

IDEMPOTENCY_KEY = (
    "A name for this request, of your own making: repeated with the same key it is answered again, and done once. "
    "Kept for some days; for another request it is refused."
)
IF_NONE_MATCH = "The ETag you have: 304 when it is still the current one."

SUCCESSES: Mapping[str, str] = {
    "200": "Done.",
    "201": "Made.",
    "202": "Taken in; it will be done.",
    "204": "Done; there is nothing to show.",
}
NOT_MODIFIED = "You have the current version."

HEADERS: Mapping[str, str] = {
    "X-Request-Id": "Names this request in the server's log and in the journal.",
    "ETag": "The version, for `If-Match` and `If-None-Match`.",
    "Location": "The path of what was made.",
    "Dutiful-Cursor": "The place in the feed that includes this write; absent when it changed nothing in a workspace.",
    "Idempotency-Replayed": "`true` when this is the kept answer to an earlier request with the same key.",
    "Retry-After": "Seconds to wait before repeating the request.",
    "WWW-Authenticate": "`Bearer`.",
}

# For each status: the name of the response, when it is given, and an example's code and detail.
REFUSALS: Mapping[str, tuple[str, str, str, str]] = {
    "400": ("Malformed", "The body cannot be read.", "malformed", "The body is not valid JSON."),
    "401": (
        "Unauthenticated",
        "No token, or one that is unknown, expired or revoked.",
        "unauthenticated",
        "A token is needed: send it as “Authorization: Bearer dtf_…”.",
    ),
    "403": (
        "Forbidden",
        "The scope of the token, or your role, is not enough.",
        "forbidden",
        "This token has the scope “read”; “write” is needed. Use another token.",
    ),
    "404": ("NotFound", "There is no such thing, or it is not for you to see.", "not_found", "No such task."),
    "409": (
        "Conflict",
        "The request is fine, the state of things is not: a name is taken, or a request with the same key still runs.",
        "taken",
        "The workspace has a project of this name already.",
    ),
    "410": (
        "Gone",
        "The changes asked for are no longer kept. Read the things anew, then follow from `next_cursor`.",
        "gone",
        "These changes are no longer kept.",
    ),
    "412": (
        "StaleVersion",
        "Somebody else was faster. `current` is the thing as it is now.",
        "stale_version",
        "It was changed since you read it. Look at the current version, then send your change again.",
    ),
    "413": (
        "TooLarge",
        "The body is larger than this server accepts.",
        "too_large",
        "The body is larger than this server accepts.",
    ),
    "415": (
        "NotJson",
        "The body is not said to be JSON.",
        "not_json",
        "Send the body as JSON, with the header “Content-Type: application/json”.",
    ),
    "422": (
        "Invalid",
        "Something sent cannot be used; `errors[]` says what. Or the `Idempotency-Key` was used for another request.",
        "invalid",
        "The request has values that cannot be used.",
    ),
    "429": (
        "TooManyRequests",
        "Too many requests, or too many attempts. Wait as long as `Retry-After` says.",
        "too_many_requests",
        "Too many attempts. Try again later.",
    ),
    "503": (
        "Unavailable",
        "The database is busy, unreachable or full; nothing was written. With the code `outcome_unknown`: perhaps it was.",
        "unavailable",
        "The database is busy. Try again in a moment.",
    ),
}
