"""The table of contents of the REST API."""

from fastapi import APIRouter

from dutiful.api import (
    account_events,
    agenda,
    batch,
    changes,
    history,
    imports,
    invitations,
    labels,
    members,
    passwords,
    projects,
    recurrence,
    sections,
    sessions,
    stream,
    tasks,
    tokens,
    trash,
    users,
    workspaces,
)


def api_router() -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    router.include_router(tasks.router)
    router.include_router(agenda.router)
    router.include_router(recurrence.router)
    router.include_router(batch.router)
    router.include_router(imports.router)
    router.include_router(projects.router)
    router.include_router(sections.router)
    router.include_router(labels.router)
    router.include_router(trash.router)
    router.include_router(sessions.router)
    router.include_router(passwords.router)
    router.include_router(users.router)
    router.include_router(account_events.router)
    router.include_router(tokens.router)
    router.include_router(workspaces.router)
    router.include_router(members.router)
    router.include_router(invitations.router)
    router.include_router(changes.router)
    router.include_router(history.router)
    router.include_router(stream.router)
    return router
