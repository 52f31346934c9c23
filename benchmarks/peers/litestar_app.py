"""Litestar with Advanced Alchemy: a model, its repository and service, and a controller, as their guides put them."""

import os
import time
import uuid
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from typing import Annotated, Any

import msgspec
from advanced_alchemy.base import BigIntBase
from advanced_alchemy.config import EngineConfig
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
    filters,
    providers,
    repository,
    service,
)
from litestar import Controller, Litestar, get, post
from litestar.params import Dependency, Parameter
from sqlalchemy import BigInteger, DateTime, SmallInteger
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

PRIORITIES = ("none", "low", "medium", "high", "urgent")
Moment = DateTime(timezone=True)


class Task(BigIntBase):
    __tablename__ = "tasks"

    workspace_id: Mapped[int] = mapped_column(BigInteger)
    project_id: Mapped[int] = mapped_column(BigInteger)
    section_id: Mapped[int | None] = mapped_column(BigInteger)
    parent_id: Mapped[int | None] = mapped_column(BigInteger)
    title: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="open")
    rank: Mapped[int] = mapped_column("priority", SmallInteger, default=0)
    label_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list)
    assignee_id: Mapped[int | None] = mapped_column(BigInteger)
    start_date: Mapped[date | None]
    start_time: Mapped[time_of_day | None]
    start_timezone: Mapped[str | None]
    due_date: Mapped[date | None]
    due_time: Mapped[time_of_day | None]
    due_timezone: Mapped[str | None]
    position: Mapped[str] = mapped_column(default=lambda: f"z{time.time_ns():x}{os.getpid():x}")
    uid: Mapped[str] = mapped_column(default=lambda: str(uuid.uuid4()))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Moment, default=lambda: datetime.now(UTC))
    created_by: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(Moment, default=lambda: datetime.now(UTC))
    completed_at: Mapped[datetime | None] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def priority(self) -> str:
        return PRIORITIES[self.rank]


class TaskCreate(msgspec.Struct):
    workspace_id: int
    project_id: int
    title: str
    description: str = ""
    priority: str = "none"


class TaskOut(msgspec.Struct):
    id: int
    workspace_id: int
    project_id: int
    section_id: int | None
    parent_id: int | None
    title: str
    description: str
    status: str
    priority: str
    label_ids: list[int]
    assignee_id: int | None
    start_date: date | None
    start_time: time_of_day | None
    start_timezone: str | None
    due_date: date | None
    due_time: time_of_day | None
    due_timezone: str | None
    position: str
    uid: str
    version: int
    created_at: datetime
    created_by: int | None
    updated_at: datetime
    completed_at: datetime | None
    deleted_at: datetime | None


class TaskService(service.SQLAlchemyAsyncRepositoryService[Task]):
    class Repo(repository.SQLAlchemyAsyncRepository[Task]):
        model_type = Task

    repository_type = Repo


class TaskController(Controller):
    path = "/api/v1/tasks"
    dependencies = providers.create_service_dependencies(
        TaskService,
        "tasks",
        filters={
            "pagination_type": "limit_offset",
            "pagination_size": 50,
            "sort_field": "id",
            "sort_order": "asc",
        },
    )

    @get()
    async def list_tasks(
        self,
        tasks: TaskService,
        filters: Annotated[list[filters.FilterTypes], Dependency(skip_validation=True)],
        workspace_id: Annotated[int | None, Parameter(required=False)] = None,
    ) -> service.OffsetPagination[TaskOut]:
        narrowed: dict[str, Any] = {"deleted_at": None}
        if workspace_id is not None:
            narrowed["workspace_id"] = workspace_id
        found, total = await tasks.get_many_and_count(*filters, **narrowed)
        return tasks.to_schema(found, total, filters=filters, schema_type=TaskOut)

    @post()
    async def create_task(self, tasks: TaskService, data: TaskCreate) -> TaskOut:
        values = msgspec.structs.asdict(data)
        task = await tasks.create({**values, "rank": PRIORITIES.index(values.pop("priority"))})
        return tasks.to_schema(task, schema_type=TaskOut)

    @get("/{task_id:int}")
    async def get_task(self, tasks: TaskService, task_id: int) -> TaskOut:
        return tasks.to_schema(await tasks.get(task_id), schema_type=TaskOut)


@get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ok"}


app = Litestar(
    route_handlers=[TaskController, ready],
    plugins=[
        SQLAlchemyPlugin(
            config=SQLAlchemyAsyncConfig(
                connection_string=os.environ["DATABASE_URL"],
                before_send_handler="autocommit",
                session_config=AsyncSessionConfig(expire_on_commit=False),
                engine_config=EngineConfig(),
            )
        )
    ],
)
