"""The API's own document (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request

from console.access import allow_signed_in
from console.api.common import router
from console.problems import MEDIA_TYPE

api = router("document")


@api.get("/openapi.json")
@allow_signed_in()
def openapi(request: Request) -> dict[str, Any]:
    """This document."""
    found: dict[str, Any] = request.app.openapi()
    return found


def install(app: FastAPI) -> None:
    """`app.openapi()` says what FastAPI cannot know: how one is let in, and that refusals are problem documents."""
    plain = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = plain()
            for path in made["paths"].values():
                for operation in path.values():
                    for answer in operation["responses"].values():
                        _as_problem(answer.get("content", {}))
            schemes = made.setdefault("components", {}).setdefault("securitySchemes", {})
            schemes["token"] = {"type": "http", "scheme": "bearer", "description": "made by `gatewatch token add`"}
            made["security"] = [{"token": []}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = whole  # type: ignore[method-assign]


def _as_problem(content: dict[str, Any]) -> None:
    if MEDIA_TYPE in content and "application/json" in content:
        content[MEDIA_TYPE] = content.pop("application/json")
