"""What a served process loads: never the tools of data scientists, and without need not even a model's runtime."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings
from explainer.use_cases.callers import CaseSystem
from explainer.use_cases.record_decision import record_decision
from tests.api.test_record_decision import a_request
from tests.demo_city import free_port

NEVER = {"shap", "scipy", "sklearn", "pandas", "lightgbm", "xgboost", "catboost", "matplotlib", "pyarrow"}
ONLY_FOR_NUMBERS = {"onnx", "onnxruntime", "numba"}

SERVED = """
import json, sys, threading, urllib.request
import uvicorn
from explainer.app import application_of, build_service
from explainer.settings import Settings

given = json.loads(sys.argv[1])
service = build_service(Settings.model_validate(given["settings"]))
config = uvicorn.Config(application_of(service), port=service.settings.port, log_level="error", access_log=False)
server = uvicorn.Server(config)
thread = threading.Thread(target=server.run, daemon=True)
thread.start()
while not server.started:
    pass
answered = []
for path, headers, body in given["requests"]:
    request = urllib.request.Request(
        service.settings.base_url + path, headers=headers, data=json.dumps(body).encode() if body else None
    )
    with urllib.request.urlopen(request) as answer:
        answered.append(answer.status)
server.should_exit = True
thread.join()
print(json.dumps({"answered": answered, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def served(settings: dict[str, Any], requests: list[tuple[str, dict[str, str], object]]) -> dict[str, Any]:
    """Serve requests in a process of its own and say what it had loaded by then."""
    given = json.dumps({"settings": settings, "requests": requests})
    done = subprocess.run([sys.executable, "-c", SERVED, given], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("load_models", ["when_needed", "at_start"])
def test_a_served_process_loads_only_what_its_answers_need(tmp_path: Path, load_models: str) -> None:
    settings = demo_settings(tmp_path / "city", port=free_port())
    service = build_service(settings)
    answer = record_decision(service, CaseSystem("key-1", "Fachverfahren"), a_request())
    service.database.dispose()
    code = {"Authorization": f"AccessCode {answer['access_code']}"}
    explanation = (f"/api/v1/decisions/{answer['reference']}/explanations", code, {"language": "en"})
    plain: dict[str, str] = {}
    requests = [
        explanation,
        ("/de/register/wohngeld", plain, None),
        ("/readyz", plain, None),
        ("/log/keys", plain, None),
    ]
    found = served({**json.loads(settings.model_dump_json()), "load_models": load_models}, requests)
    assert found["answered"] == [201, 200, 200, 200]
    loaded = set(found["modules"])
    assert loaded.isdisjoint(NEVER)
    if load_models == "when_needed":
        assert loaded.isdisjoint(ONLY_FOR_NUMBERS)
    else:
        assert loaded & ONLY_FOR_NUMBERS, "the broken twin: so this test can tell"
