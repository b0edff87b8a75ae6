"""Bodies of requests as the OpenAPI document shows them, and the dependency that reads them."""

from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, ValidationError

from explainer.api.json_body import parse_json
from explainer.explanations.document import Audience, Language
from explainer.use_cases.decision_request import ShortText, structure_problems
from models.errors import InvalidInputError

Body = TypeVar("Body", bound=BaseModel)


class ExplanationRequest(BaseModel):
    """What a person or staff ask for; staff send purpose and legal basis."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    audience: Audience | None = None
    language: Language | None = None
    purpose: ShortText | None = None
    legal_basis: ShortText | None = None


class InputsExplanationRequest(ExplanationRequest):
    """An explanation of inputs without a decision."""

    inputs: dict[str, Any]


async def json_body(request: Request) -> Any:
    """Read the JSON body of a request."""
    return parse_json(await request.body())


async def optional_json_body(request: Request) -> Any:
    """Read a JSON body that may be absent; then it is an empty object."""
    body = await request.body()
    return parse_json(body) if body else {}


JsonBody = Annotated[Any, Depends(json_body)]


def checked_body(body: object, shape: type[Body]) -> Body:
    """Check a parsed body against the shape it must have.

    Args:
        body: Parsed JSON.
        shape: What it must look like.

    Returns:
        The request.

    Raises:
        InvalidInputError: With every problem found.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        raise InvalidInputError(structure_problems(error)) from error


def body_schema(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Say in the OpenAPI document what a body looks like that is parsed by hand.

    Bodies are parsed by hand so that problems of structure and of inputs are reported together.
    """
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": _inlined(model)}}}}


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return resolve(definitions[value["$ref"].rsplit("/", 1)[-1]])
            return {name: resolve(item) for name, item in value.items()}
        if isinstance(value, list):
            return [resolve(item) for item in value]
        return value

    resolved = resolve(schema)
    if not isinstance(resolved, dict):
        raise TypeError("a schema is an object")
    return resolved
