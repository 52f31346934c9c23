"""The types of things a batch works on: their schemas and verbs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dutiful.batches.schemas import TypeName
from dutiful.labels import service as labels
from dutiful.labels.schemas import LabelCreate, LabelPatch
from dutiful.models import Label, Project, Section, Task
from dutiful.ordering import Move
from dutiful.projects import sections
from dutiful.projects import service as projects
from dutiful.projects.schemas import ProjectCreate, ProjectPatch, SectionCreate, SectionPatch
from dutiful.tasks import creation
from dutiful.tasks import service as tasks
from dutiful.tasks.schemas import TaskCreate, TaskMove, TaskPatch
from dutiful.vocabulary import Input

Verb = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    model: type[Any]
    schemas: Mapping[str, type[Input]]
    verbs: Mapping[str, Verb]


KINDS: Mapping[TypeName, Kind] = {
    "task": Kind(
        Task,
        {"create": TaskCreate, "update": TaskPatch, "move": TaskMove},
        {"create": creation.create, "update": tasks.update, "move": tasks.move, "delete": tasks.delete},
    ),
    "project": Kind(
        Project,
        {"create": ProjectCreate, "update": ProjectPatch, "move": Move},
        {
            "create": projects.create,
            "update": projects.update,
            "move": projects.move,
            "delete": projects.delete,
        },
    ),
    "section": Kind(
        Section,
        {"create": SectionCreate, "update": SectionPatch, "move": Move},
        {
            "create": sections.create,
            "update": sections.update,
            "move": sections.move,
            "delete": sections.delete,
        },
    ),
    "label": Kind(
        Label,
        {"create": LabelCreate, "update": LabelPatch},
        {"create": labels.create, "update": labels.update, "delete": labels.delete},
    ),
}
