"""What went wrong on our side is logged by kind and place; its words may quote what a person sent."""

import logging
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explainer.api.problem_details import unexpected_problem

LOG = logging.getLogger("klarbescheid.unexpected")


class WithoutWords:
    """Stands around the whole application, so that no exception's message reaches a server log.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; nothing leaves but an answer."""
        answered = False

        async def noting_send(message: Message) -> None:
            nonlocal answered
            answered = answered or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            LOG.error("%s at %s", type(error).__qualname__, places_of(error))  # noqa: TRY400 -- words stay out
            if not answered:
                await unexpected_problem()(scope, receive, send)


def places_of(error: Exception) -> str:
    """Where an error came from: files and lines, innermost last, without any of its words."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)
