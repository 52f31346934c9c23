from typing import Any

from benchmarks.peers.drf.models import Task
from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from rest_framework import routers, serializers, viewsets

PRIORITIES = ("none", "low", "medium", "high", "urgent")


class PriorityField(serializers.Field):
    def to_representation(self, value: int) -> str:
        return PRIORITIES[value]

    def to_internal_value(self, data: Any) -> int:
        if data not in PRIORITIES:
            raise serializers.ValidationError("Not a priority.")
        return PRIORITIES.index(data)


class TaskSerializer(serializers.ModelSerializer):
    priority = PriorityField()

    class Meta:
        model = Task
        fields = "__all__"
        read_only_fields = ("position", "uid", "version", "label_ids")


class TaskViewSet(viewsets.ModelViewSet):
    serializer_class = TaskSerializer

    def get_queryset(self) -> "QuerySet[Task]":
        queryset = Task.objects.filter(deleted_at=None)
        workspace_id = self.request.query_params.get("workspace_id")
        return queryset if workspace_id is None else queryset.filter(workspace_id=workspace_id)


router = routers.DefaultRouter(trailing_slash=False)
router.register("tasks", TaskViewSet, basename="task")


def ready(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


urlpatterns = [path("api/v1/", include(router.urls)), path("readyz", ready)]
