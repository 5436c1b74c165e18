"""For tests: the page where zones and rules are drawn, as far as the API sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi.testclient import TestClient

from console.testing import NORTH, Site

URL: Final = f"/api/v1/cameras/{NORTH}/configuration"
VERSIONS: Final = "/api/v1/configuration/versions"


def path_of(site: Site) -> Path:
    """The file that is edited."""
    assert site.parts.config_path is not None
    return site.parts.config_path


def drawn(client: TestClient) -> dict[str, Any]:
    """What the page would send back unchanged."""
    found = client.get(URL).json()
    return {
        "base": found["base"],
        "zones": [{**zone, "was": zone["name"]} for zone in found["zones"]],
        "masks": [{"polygon": mask, "was": number} for number, mask in enumerate(found["masks"])],
        "ground": [{**one, "was": number} for number, one in enumerate(found["ground"])],
        "rules": [{**rule, "was": number} for number, rule in enumerate(found["rules"])],
    }


def moved(client: TestClient, x: float = 0.25) -> dict[str, Any]:
    """A corner of the first zone somewhere else."""
    body = drawn(client)
    body["zones"][0]["polygon"][0] = [x, 0.6]
    return body


def applied(client: TestClient, body: dict[str, Any], why: str = "the kerb was moved") -> Any:
    """The answer to putting `body` in force."""
    return client.post(URL, json=body | {"why": why})


def lines(answer: dict[str, Any], kind: str) -> list[str]:
    """What a difference says is `new` or `gone`, line by line."""
    return [line["text"].strip() for line in answer["diff"] if line["kind"] == kind]
