"""The same city on PostgreSQL: recorded, explained and logged over HTTP, by several case systems at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from explainer.demo.run_demo import demo_settings
from explainer.transparency_log.verify import url_fetcher, verify_log
from explainer.use_cases.grant_access import add_case_system
from tests.api.test_record_decision import a_request
from tests.databases import postgres_server
from tests.demo_city import free_port, serving

CLIENTS = 4
REQUESTS = 24


@pytest.mark.postgres
def test_a_city_on_postgresql_records_explains_and_proves(tmp_path: Path) -> None:
    with postgres_server() as server:
        base = demo_settings(tmp_path / "city", port=free_port())
        settings = base.model_copy(update={"database_url": server.empty()})
        with serving(settings) as service:
            key = add_case_system(service, "test")

            def record_and_explain(number: int) -> int:
                decision = httpx.post(
                    f"{settings.base_url}/api/v1/decisions",
                    json=a_request(case_reference=f"WG-{number}"),
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=60,
                ).json()
                explanation = httpx.post(
                    f"{settings.base_url}/api/v1/decisions/{decision['reference']}/explanations",
                    json={"language": "en"},
                    headers={"Authorization": f"AccessCode {decision['access_code']}"},
                    timeout=60,
                )
                assert explanation.status_code == 201, explanation.text
                index: int = decision["log"]["index"]
                return index

            with ThreadPoolExecutor(CLIENTS) as pool:
                indexes = list(pool.map(record_and_explain, range(REQUESTS)))
            assert len(set(indexes)) == REQUESTS
            verified = verify_log(url_fetcher(f"{settings.base_url}/log"), service.log_vkey)
            assert verified.tree_size >= 2 * REQUESTS
