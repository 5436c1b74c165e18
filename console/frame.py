"""The frame around every page: templates, language, navigation, and our own static files by their content's name."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from console.gate import Caller, parts
from console.problems import Problem
from console.wording import LANGUAGES, Words, language_of
from pipelines.access.roles import Permission
from pipelines.metrics import package_version
from pipelines.wording import Language

_HERE: Final = Path(__file__).parent
LANGUAGE_COOKIE: Final = "gatewatch-language"
_YEAR_S: Final = 31_536_000


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation: shown to those who may go there. `key`: its word."""

    path: str
    key: str
    permission: Permission
    whole_site: bool = False
    #: It shows people as they are: not for roles that see them only blurred.
    originals: bool = False


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    media_type: str


class Frame:
    """Holds what is the same for all requests. `site` and `language` are the configuration's."""

    def __init__(self, places: tuple[Place, ...], site: str, language: Language, words: Words | None = None) -> None:
        self.words = words or Words()
        self._places = places
        self._site = site
        self._language = language
        self._files = {path.name: _file(path) for path in sorted((_HERE / "static").iterdir()) if path.is_file()}
        # One version for all: modules import each other by names beside them.
        whole = b"".join(found.path.read_bytes() for found in self._files.values())
        self._version = hashlib.sha256(whole).hexdigest()[:12]
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def follow(self, site: str, language: Language) -> None:
        """Another name of the site, another language for whoever chose none."""
        self._site, self._language = site, language

    def language(self, request: Request) -> Language:
        """What the person chose (and is choosing), else the site's."""
        chosen = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE)
        return language_of(chosen, self._language)

    def page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
        script_words: tuple[str, ...] = (),
        data: Any = None,
    ) -> HTMLResponse:
        """Render `template`. In it: `t(key, **values)`, `static(name)`, `caller`, `csrf`, `nav`, and what `values` names.

        `script_words` (prefixes of keys) and `data` reach the page's modules through `page.js`.
        """
        language = self.language(request)
        found: Caller | None = getattr(request.state, "caller", None)

        def t(key: str, **filled: object) -> str:
            return self.words.text(language, key, **filled)

        def in_language(one: str) -> str:
            """This very page in another language."""
            kept = [(name, value) for name, value in request.query_params.multi_items() if name != "language"]
            return "?" + urlencode([*kept, ("language", one)])

        words = self.words.starting_with(language, ("frame.", *script_words))
        everything = {
            "t": t,
            "static": self.static_url,
            "language": language,
            "languages": LANGUAGES,
            "in_language": in_language,
            "here": request.url.path,
            "site": self._site,
            "version": package_version(),
            "caller": found,
            "csrf": found.session.csrf if found is not None and found.session is not None else "",
            "nav": [place for place in self._places if found is not None and _shown(place, found, request)],
            "for_scripts": _json({"language": language, "words": words, "data": data}),
        }
        text = self._templates.get_template(template).render(everything | dict(values or {}))
        response = HTMLResponse(text, status)
        if "language" in request.query_params:
            secure = request.url.scheme == "https"
            response.set_cookie(
                LANGUAGE_COOKIE, language, max_age=_YEAR_S, httponly=True, samesite="strict", secure=secure
            )
        return response

    def problem(self, request: Request, problem: Problem) -> HTMLResponse:
        page = self.page(request, "problem.html", {"problem": problem}, status=problem.status)
        page.headers.update(problem.headers)
        return page

    @staticmethod
    def login_url(request: Request) -> str:
        """The log-in page, which leads back to where `request` wanted to go."""
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return "/login" if wanted == "/" or request.method != "GET" else f"/login?next={quote(wanted, safe='/')}"

    def static_url(self, name: str) -> str:
        """With the hash of what we serve, so that a browser keeps it until that changes. Raises KeyError."""
        return f"/static/{self._version}/{self._files[name].path.name}"

    def static(self, name: str) -> Response | None:
        """One of our files; None: there is none of that name."""
        found = self._files.get(name)
        if found is None:
            return None
        kept = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable"}
        return Response(found.path.read_bytes(), media_type=found.media_type, headers=kept)


def _shown(place: Place, found: Caller, request: Request) -> bool:
    principal = found.principal
    if place.originals and not parts(request).unblurred(principal):
        return False
    return principal.may(place.permission) and (principal.whole_site or not place.whole_site)


def _file(path: Path) -> _File:
    kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
    return _File(path, kind or "application/octet-stream")


def _json(value: Any) -> Markup:
    """For a data block: nothing in it can end the block."""
    text = json.dumps(value, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
