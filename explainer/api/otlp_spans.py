"""Sends one OpenTelemetry span for each processing to a collector, and waits until it has taken them.

Nothing is sampled and nothing is batched: the Logboek dataverwerkingen wants every record acknowledged. The packages
come with the extra ``traces``; without the setting they are never loaded.
"""

import secrets
from typing import TYPE_CHECKING, Any

from explainer.errors import SettingsError, TracesNotTakenError
from explainer.use_cases.processing_traces import Processing, RequestTrace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

SUBJECT_ID_TYPE = "klarbescheid-key-id"
"""What kind of number names a person: the key under which their data are sealed."""

_TIMEOUT_SECONDS = 5.0
_SPAN_ID_BYTES = 8


class OtlpSpans:
    """A collector that takes OTLP over HTTP.

    Args:
        endpoint: Its address for traces, such as ``https://collector.example/v1/traces``.
        activity_id: Address (URI) of the processing activity in the city's register.

    Raises:
        SettingsError: If the packages are not installed.
    """

    def __init__(self, endpoint: str, activity_id: str) -> None:
        try:
            # Not everybody has them: only this setting needs them.
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        except ImportError as error:
            raise SettingsError(
                "EXPLAINER_TRACES_ENDPOINT needs further packages: install klarbescheid with the extra `traces`."
            ) from error
        self._exporter: Any = OTLPSpanExporter(endpoint=endpoint, timeout=_TIMEOUT_SECONDS)
        self._resource: Any = Resource({"service.name": "klarbescheid"})
        self._activity_id = activity_id

    def send(self, trace: RequestTrace, *, begin: int, end: int, failed: bool) -> None:
        """Send what a request did.

        Args:
            trace: Its trace.
            begin: Start of the request, nanoseconds since 1970.
            end: Its end.
            failed: Whether it ended in an error of the service.

        Raises:
            TracesNotTakenError: If the collector did not acknowledge everything.
        """
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

        spans = [self._span(trace, one, begin, end, failed) for one in trace.processings]
        if self._exporter.export(spans) is not SpanExportResult.SUCCESS:
            raise TracesNotTakenError("The collector of traces did not acknowledge what this request did.")

    def _span(self, trace: RequestTrace, processing: Processing, begin: int, end: int, failed: bool) -> "ReadableSpan":
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags  # noqa: PLC0415

        trace_id, sampled = int(trace.trace_id, 16), TraceFlags(TraceFlags.SAMPLED)
        own = int.from_bytes(secrets.token_bytes(_SPAN_ID_BYTES), "big") or 1
        parent = None if trace.parent_span_id is None else int(trace.parent_span_id, 16)
        return ReadableSpan(
            name=processing.name,
            context=SpanContext(trace_id, own, is_remote=False, trace_flags=sampled),
            parent=None if parent is None else SpanContext(trace_id, parent, is_remote=True, trace_flags=sampled),
            resource=self._resource,
            attributes={
                "dpl.core.processing_activity_id": self._activity_id,
                "dpl.core.data_subject_id": processing.subject_id,
                "dpl.core.data_subject_id_type": SUBJECT_ID_TYPE,
                "klarbescheid.log_entry_id": processing.entry_id,
            },
            status=Status(StatusCode.ERROR if failed else StatusCode.OK),
            start_time=begin,
            end_time=end,
        )
