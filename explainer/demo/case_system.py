"""The demo city's case system: records decisions over HTTP, as a real one would."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from explainer.demo.demo_cases import REASONS, DemoCase

TIMEOUT_SECONDS = 30


class DemoRequestError(RuntimeError):
    """The service refused what the demo's own case system sent: a defect of the demo."""


class DemoCaseSystem:
    """Talks to the service's API.

    Args:
        base_url: Address of the service.
        api_key: Its key.
    """

    def __init__(self, base_url: str, api_key: str) -> None:
        self._base_url = base_url
        self._api_key = api_key

    def decide(self, case: DemoCase, suggested: str) -> dict[str, Any]:
        """Record one case with what the person decided.

        Args:
            case: The case.
            suggested: The outcome the program arrived at.

        Returns:
            The service's answer.
        """
        body = dict(case.application)
        if not case.waits:
            other = "refused" if suggested == "granted" else "granted"
            outcome = {None: suggested, "other": other}.get(case.outcome, case.outcome)
            departed = outcome != suggested
            body |= {"outcome": outcome, "reasons": case.reasons or REASONS[outcome or suggested, departed]}
        key = f"demo-{body['case_reference']}"
        return self._post("/api/v1/decisions", body, {"Idempotency-Key": key})

    def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        request = Request(  # noqa: S310 -- the address is our own service's
            self._base_url + path,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._api_key}", "Content-Type": "application/json", **headers},
            method="POST",
        )
        try:
            with urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 -- as above
                answer: dict[str, Any] = json.load(response)
        except HTTPError as error:
            raise DemoRequestError(f"{path} answered {error.code}: {error.read().decode()[:1000]}") from error
        return answer
