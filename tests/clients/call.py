"""Lists, creates and batches with the client that openapi-python-client made."""

import os

from generated import AuthenticatedClient
from generated.api.batch import run_batch
from generated.api.tasks import create_task, get_task, list_tasks
from generated.models import (
    BatchDone,
    Problem,
    ProjectCreate,
    ProjectCreateOperation,
    Task,
    TaskCreate,
    TaskOperationDone,
    TaskPage,
)
from generated.models.batch_task_create import BatchTaskCreate
from generated.models.task_create_operation import TaskCreateOperation

with AuthenticatedClient(os.environ["CLIENT_URL"], token=os.environ["CLIENT_TOKEN"]) as client:
    made = create_task.sync(client=client, body=TaskCreate(title="From Python", labels_add=["generated"]))
    assert isinstance(made, Task), made
    page = list_tasks.sync(client=client, limit=10)
    assert isinstance(page, TaskPage), page
    assert made.id in [task.id for task in page.items]

    project = ProjectCreateOperation(
        op="create", type_="project", ref="p", data=ProjectCreate(name="From Python")
    )
    task = TaskCreateOperation(
        op="create", type_="task", data=BatchTaskCreate(title="In it", project_id="$p")
    )
    done = run_batch.sync(client=client, body=[project, task])
    assert isinstance(done, BatchDone), done
    assert done.count == 2
    last = done.items[1]
    assert isinstance(last, TaskOperationDone), last
    assert isinstance(last.item, Task), last
    assert last.item.title == "In it"

    missing = get_task.sync(999_999_999, client=client)
    assert isinstance(missing, Problem), missing
    assert missing.code == "not_found"
    print("python: created, listed, batched, refused")
