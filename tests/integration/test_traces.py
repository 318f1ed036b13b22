"""OpenTelemetry's own instrumentation of Celery sees each task, and nothing of a profile."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.integration.place import integration
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    import pytest

    from tests.integration.place import Place

PROGRAM = """
import json
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
CeleryInstrumentor().instrument(tracer_provider=provider)
from workers.celery import app

app.loader.import_default_modules()
app.tasks["segsync.route"].apply(["permit-of-route"])
app.tasks["segsync.deliver"].apply(["db", "permit-of-deliver"])
print(json.dumps([json.loads(each.to_json()) for each in kept.get_finished_spans()]))
"""


def test_each_task_is_a_span_that_tells_its_end_and_nothing_of_a_profile(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish(integration(table="missing"))
    place.add("7", 10, start=987_654)
    monkeypatch.setenv("SEGSYNC_CONFIG", str(place.file))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    spans = {each["name"]: each for each in json.loads(done.stdout)}
    assert spans.keys() >= {"run/segsync.route", "apply_async/segsync.deliver", "run/segsync.deliver"}
    assert spans["run/segsync.route"]["status"]["status_code"] == "UNSET"
    failed = spans["run/segsync.deliver"]
    assert failed["status"]["status_code"] == "ERROR"
    assert "a table does not exist" in json.dumps(failed["events"])
    assert [word for word in ("permit-of", "987654", "INSERT") if word in done.stdout] == []
