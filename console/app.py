"""The application: routes under one gate, one form of refusal, one set of headers. Building it starts nothing."""

from __future__ import annotations

from typing import Final

from fastapi import Depends, FastAPI

from console import gate, problems
from console.api import answers, cameras, configuration, document, exports, incidents, operating, reports, stream
from console.api import footage as footage_api
from console.api import history as history_api
from console.frame import Frame, Place
from console.headers import Guarded
from console.pages import cameras as cameras_page
from console.pages import footage, handover, history, live, login, now, people, system
from console.parts import Parts
from pipelines.access.roles import Permission
from pipelines.metrics import package_version

#: The navigation, in its order. A page adds itself here and its router below.
PLACES: Final = (
    Place("/now", "frame.now", Permission.SEE),
    Place("/history", "frame.history", Permission.JUDGE),
    Place("/footage", "frame.footage", Permission.WATCH, originals=True),
    Place("/handover", "frame.handover", Permission.JUDGE),
    Place("/cameras", "frame.cameras", Permission.CONFIGURE, whole_site=True),
    Place("/system", "frame.system", Permission.OPERATE, whole_site=True),
    Place("/people", "frame.people", Permission.PEOPLE, whole_site=True),
)
ROUTERS: Final = (
    login.router,
    people.router,
    now.router,
    live.router,
    history.router,
    handover.router,
    incidents.api,
    history_api.api,
    exports.api,
    answers.api,
    cameras.api,
    configuration.api,
    footage_api.api,
    footage.router,
    cameras_page.router,
    system.router,
    stream.api,
    reports.api,
    operating.api,
    document.api,
)


def create_app(parts: Parts) -> FastAPI:
    """Pages and API on `parts`."""
    app = FastAPI(
        title="Gatewatch",
        version=package_version(),
        # The document and its viewers are routes like any other, under the gate; the viewers would need a CDN.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(gate.check)],
    )
    app.state.parts = parts
    app.state.frame = Frame(PLACES, parts.config.site.name, parts.config.site.language)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    document.install(app)
    app.add_middleware(Guarded)
    return app
