"""The tutorial way: FastAPI and SQLAlchemy as their tutorials put them together.

An ORM session for each request through a dependency with `yield`, which commits when the request is done; the pool's
usual five connections and ten more; pre-ping; pydantic in and out. No authentication, no rights, no journal.
"""

import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, field_serializer
from sqlalchemy import BigInteger, DateTime, SmallInteger, TypeDecorator, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=5, max_overflow=10, pool_pre_ping=True)
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with SessionLocal() as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise


Session = Annotated[AsyncSession, Depends(get_session)]


class Priority(StrEnum):
    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


class PriorityColumn(TypeDecorator[Priority]):
    """Stored by rank."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Priority | None, dialect: Any) -> int | None:
        return None if value is None else list(Priority).index(value)

    def process_result_value(self, value: int | None, dialect: Any) -> Priority | None:
        return None if value is None else list(Priority)[value]


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's way to say it
        int: BigInteger,
        datetime: DateTime(timezone=True),
        list[int]: ARRAY(BigInteger),
    }


class Task(Base):
    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[int]
    project_id: Mapped[int]
    section_id: Mapped[int | None]
    parent_id: Mapped[int | None]
    title: Mapped[str]
    description: Mapped[str]
    status: Mapped[str] = mapped_column(default="open")
    priority: Mapped[Priority] = mapped_column(PriorityColumn)
    label_ids: Mapped[list[int]] = mapped_column(default=list)
    assignee_id: Mapped[int | None]
    start_date: Mapped[date | None]
    start_time: Mapped[time_of_day | None]
    start_timezone: Mapped[str | None]
    due_date: Mapped[date | None]
    due_time: Mapped[time_of_day | None]
    due_timezone: Mapped[str | None]
    recurrence: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    series_id: Mapped[uuid.UUID | None]
    position: Mapped[str]
    uid: Mapped[str] = mapped_column(default=lambda: str(uuid.uuid4()))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))
    created_by: Mapped[int | None]
    updated_at: Mapped[datetime] = mapped_column(
        default=lambda: datetime.now(UTC), onupdate=lambda: datetime.now(UTC)
    )
    completed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    @property
    def start(self) -> dict[str, Any] | None:
        return _when(self.start_date, self.start_time, self.start_timezone)

    @property
    def due(self) -> dict[str, Any] | None:
        return _when(self.due_date, self.due_time, self.due_timezone)


def _when(day: date | None, at: time_of_day | None, timezone: str | None) -> dict[str, Any] | None:
    return None if day is None else {"date": day, "time": at, "timezone": timezone}


class TaskCreate(BaseModel):
    workspace_id: int
    project_id: int
    title: str
    description: str = ""
    priority: Priority = Priority.NONE


class TaskUpdate(BaseModel):
    title: str | None = None
    description: str | None = None
    priority: Priority | None = None


class WhenOut(BaseModel):
    date: date
    time: time_of_day | None
    timezone: str | None

    @field_serializer("time")
    def _minutes(self, value: time_of_day | None) -> str | None:
        return None if value is None else value.isoformat("minutes")


class TaskOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    workspace_id: int
    project_id: int
    section_id: int | None
    parent_id: int | None
    title: str
    description: str
    status: str
    priority: Priority
    label_ids: list[int]
    assignee_id: int | None
    start: WhenOut | None
    due: WhenOut | None
    recurrence: dict[str, Any] | None
    series_id: uuid.UUID | None
    position: str
    uid: str
    version: int
    created_at: datetime
    created_by: int | None
    updated_at: datetime
    completed_at: datetime | None
    deleted_at: datetime | None


class PageOut(BaseModel):
    items: list[TaskOut]
    count: int


app = FastAPI()


@app.get("/api/v1/tasks", response_model=PageOut)
async def list_tasks(
    session: Session,
    workspace_id: int | None = None,
    status: str | None = None,
    due_before: date | None = None,
    skip: int = 0,
    limit: Annotated[int, Query(le=200)] = 50,
) -> Any:
    statement = select(Task).where(Task.deleted_at.is_(None))
    if workspace_id is not None:
        statement = statement.where(Task.workspace_id == workspace_id)
    if status is not None:
        statement = statement.where(Task.status == status)
    if due_before is not None:
        statement = statement.where(Task.due_date < due_before)
    items = (await session.scalars(statement.order_by(Task.id).offset(skip).limit(limit))).all()
    return {"items": items, "count": len(items)}


@app.post("/api/v1/tasks", response_model=TaskOut, status_code=201)
async def create_task(body: TaskCreate, session: Session) -> Task:
    task = Task(**body.model_dump(), position=f"z{time.time_ns():x}{os.getpid():x}")
    session.add(task)
    await session.flush()
    await session.refresh(task)
    return task


@app.get("/api/v1/tasks/{task_id}", response_model=TaskOut)
async def get_task(task_id: int, session: Session) -> Task:
    task = await session.get(Task, task_id)
    if task is None or task.deleted_at is not None:
        raise HTTPException(404, "Task not found")
    return task


@app.patch("/api/v1/tasks/{task_id}", response_model=TaskOut)
async def update_task(task_id: int, body: TaskUpdate, session: Session) -> Task:
    task = await get_task(task_id, session)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(task, name, value)
    task.version += 1
    await session.flush()
    return task


@app.get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ok"}
