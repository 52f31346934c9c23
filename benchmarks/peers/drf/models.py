import time
import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models


def next_position() -> str:
    return f"z{time.time_ns():x}{uuid.uuid4().hex[:4]}"


def new_uid() -> str:
    return str(uuid.uuid4())


class Task(models.Model):
    workspace_id = models.BigIntegerField()
    project_id = models.BigIntegerField()
    section_id = models.BigIntegerField(null=True)
    parent_id = models.BigIntegerField(null=True)
    title = models.CharField(max_length=500)
    description = models.TextField(blank=True, default="")
    status = models.CharField(max_length=20, default="open")
    priority = models.SmallIntegerField(default=0)
    label_ids = ArrayField(models.BigIntegerField(), default=list)
    assignee_id = models.BigIntegerField(null=True)
    start_date = models.DateField(null=True)
    start_time = models.TimeField(null=True)
    start_timezone = models.CharField(max_length=64, null=True)  # noqa: DJ001 - the table is as it is
    due_date = models.DateField(null=True)
    due_time = models.TimeField(null=True)
    due_timezone = models.CharField(max_length=64, null=True)  # noqa: DJ001
    position = models.CharField(max_length=100, default=next_position)
    uid = models.CharField(max_length=255, default=new_uid)
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.BigIntegerField(null=True)
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "tasks"
        ordering = ("id",)

    def __str__(self) -> str:
        return self.title
