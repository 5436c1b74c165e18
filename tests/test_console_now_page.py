"""The page *Now* in a browser: what a guard does quickly, twice, or while an answer is on its way comes to what was meant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from console.serve import Server
from console.testing import PASSWORD, Site, a_site
from pipelines.clock import SystemClock
from pipelines.store import threads

pytestmark = pytest.mark.slow
#: A bound for a hang on a loaded machine, not a speed.
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = a_site(tmp_path_factory.mktemp("site"), SystemClock())
    site.parts.by_address.take = lambda _key: 0.0  # type: ignore[method-assign]
    yield site
    site.parts.database.close()


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    server = Server(site.parts, "127.0.0.1", 0)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def opened(browser: Browser, url: str, before: str = "") -> Page:
    """The page as a guard has it; `before`: a script that runs before the page's own."""
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    if before:
        context.add_init_script(before)
    page = context.new_page()
    page.goto(f"{url}/login?language=en")
    page.fill("[name=name]", "guard")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/now*")
    expect(page.locator(".alert[data-incident=north-2]")).to_be_visible()
    return page


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    page = opened(browser, url)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.context.close()
    assert faults == []


def until(held: list[Route], count: int, page: Page) -> list[Route]:
    """Waits for so many requests; the page's events are only seen while it is waited in this way."""
    for _ in range(PATIENCE_MS // 50):
        if len(held) >= count:
            break
        page.wait_for_timeout(50)
    return held


#: Closes the dialog and types before the page is painted again, as a busy machine has it now and then. Returns what had
#: the focus.
AT_ONCE = """([id, ...keys]) => {
  document.getElementById(id).close();
  const had = document.activeElement.closest("dialog")?.id ?? "";
  for (const key of keys) {
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  }
  return had;
}"""


@pytest.mark.parametrize(("key", "dialog"), [("?", "keys"), ("r", "form"), ("z", "form")])
def test_a_key_right_after_a_dialog_is_not_typed_into_what_is_gone(page: Page, key: str, dialog: str) -> None:
    page.keyboard.press("ArrowDown")
    expect(page.locator("#detail h2")).to_be_visible()
    page.keyboard.press(key)
    expect(page.locator("dialog[open]")).to_be_visible()
    assert page.evaluate(AT_ONCE, [dialog, "r"]) == dialog, "the closed dialog has the focus still"
    expect(page.locator("#form[open]")).to_be_visible()
    assert page.evaluate(AT_ONCE, ["form", "Escape"]) == "form"
    expect(page.locator("#detail")).to_be_hidden()
    expect(page.locator(".tile").first).to_be_visible()


def test_escape_leaves_a_field_and_then_the_incident(page: Page) -> None:
    page.keyboard.press("ArrowDown")
    page.locator("#note").fill("a red van? r 1")
    page.keyboard.press("a")
    expect(page.locator("#note")).to_have_value("a red van? r 1a")
    page.keyboard.press("Escape")
    expect(page.locator("#note")).not_to_be_focused()
    expect(page.locator("#detail h2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()


@pytest.mark.parametrize("key", ["o", "Enter"])
def test_a_held_key_answers_once(page: Page, key: str) -> None:
    """Also Enter on the button that has the focus."""
    asked: list[str] = []

    def ask(request: Request) -> None:
        if request.method == "POST":
            asked.append(request.url)

    page.on("request", ask)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#detail h2")).to_be_visible()
    if key == "Enter":
        page.locator("#detail [data-act=on_site]").focus()
    for _ in range(4):
        page.keyboard.down(key)  # the second and later ones are repetitions
    page.keyboard.up(key)
    expect(page.locator("#said")).not_to_be_empty()
    assert len(asked) == 1, asked


def test_a_form_is_sent_once_and_its_late_answer_leaves_the_next_form_alone(page: Page, site: Site) -> None:
    held: list[Route] = []
    before = len(site.published)

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/v1/cameras/*/incidents", hold)
    page.keyboard.press("r")
    page.locator("#form textarea").fill("a dog on the forecourt")
    for _ in range(3):
        page.locator("#form form").evaluate("form => form.requestSubmit()")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("r")
    page.locator("#form textarea").fill("and another")
    until(held, 1, page)[0].fulfill(
        status=503, content_type="application/problem+json", body='{"detail": "the store is away"}'
    )
    expect(page.locator("#said")).to_have_text("the store is away")
    expect(page.locator("#form textarea")).to_have_value("and another")
    expect(page.locator("#form .fault")).to_be_hidden()
    page.locator("#form button.primary").click()
    expect(page.locator("#form[open]")).to_be_visible()
    until(held, 2, page)[1].continue_()
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert len(held) == 2
    assert len(site.published) == before + 1


def test_keys_work_on_a_machine_that_cannot_sound(browser: Browser, url: str) -> None:
    page = opened(browser, url, "window.AudioContext = class { constructor() { throw new Error('no device'); } };")
    page.keyboard.press("m")
    expect(page.locator("#sound")).to_have_text("Sound off")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#detail h2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    page.context.close()


def test_keys_work_in_a_browser_that_cannot_say_what_is_visible(browser: Browser, url: str) -> None:
    """Safari before 17.4, Firefox before 106."""
    page = opened(browser, url, "delete Element.prototype.checkVisibility;")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#detail h2")).to_be_visible()
    page.context.close()


LATE = "**/live/incidents/north-2"


def change(site: Site) -> None:
    """Something changed, so every page that is open asks for the queue at once."""
    with site.parts.database.write() as connection:
        threads.change(connection, "backyard-1", step=0)


def test_an_answer_that_comes_late_shows_nothing_that_was_not_chosen_last(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.locator(".alert[data-incident=north-1]").click()
    expect(page.locator("#detail .strip img")).to_have_count(1)
    page.locator("#note").fill("a white van")
    page.route(LATE, hold)
    page.locator(".alert[data-incident=north-2]").click()
    expect(page.locator(".alert[aria-current=true]")).to_have_attribute("data-incident", "north-2")
    # Words and buttons of the one before are gone at once: nobody answers with them for this one.
    expect(page.locator("#note, #detail img, #detail [data-act]")).to_have_count(0)
    until(held, 1, page)
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    page.locator(".alert[data-incident=north-1]").click()
    expect(page.locator("#detail .strip img")).to_have_count(1)
    with page.expect_response(LATE):
        held[0].continue_()
    page.keyboard.press("Escape")
    page.locator(".tile").first.click()
    expect(page.locator("#detail .stage.live")).to_be_visible()
    expect(page.locator("#detail .strip")).to_have_count(0)


def test_an_incident_that_could_not_be_had_is_shown_as_soon_as_it_can(page: Page, site: Site) -> None:
    page.locator(".alert[data-incident=north-1]").click()
    expect(page.locator("#detail .strip img")).to_have_count(1)
    page.route(LATE, lambda route: route.fulfill(status=503, json={"detail": "the store is away"}))
    page.locator(".alert[data-incident=north-2]").click()
    expect(page.locator("#said")).to_have_text("the store is away")
    expect(page.locator("#detail h2, #detail .facts")).to_have_count(0)
    page.unroute(LATE)
    change(site)
    expect(page.locator("#detail h2")).to_have_text("illegal parking")
    expect(page.locator("#detail .strip img")).to_have_count(1)


def test_the_queue_keeps_the_focus_when_it_is_put_in_another_order(page: Page, site: Site) -> None:
    orders = [["north-1", "north-2", "backyard-1"], ["north-2", "backyard-1", "north-1"], ["north-2", "backyard-1"]]
    now = orders[0]

    def ordered(route: Route) -> None:
        answer = route.fetch()
        found = answer.json()
        rows = {row["incident_id"]: row for row in found["rows"]}
        route.fulfill(response=answer, json=found | {"rows": [rows[one] for one in now]})

    cards = "[...document.querySelectorAll('.alert')].map(one => one.dataset.incident).join()"
    card = page.locator(".alert[data-incident=north-1]")
    page.route("**/live/queue", ordered)
    change(site)
    expect(page.locator(".alert").first).to_have_attribute("data-incident", "north-1")
    card.focus()
    now = orders[1]
    change(site)
    expect(page.locator(".alert").last).to_have_attribute("data-incident", "north-1")
    assert page.evaluate(cards) == ",".join(now)
    expect(card).to_be_focused()
    # The card that has the focus is what Enter opens, not the one that would be next.
    page.keyboard.press("Enter")
    expect(card).to_have_attribute("aria-current", "true")
    expect(page.locator("#detail .strip img")).to_have_count(1)
    card.focus()
    now = orders[2]
    change(site)
    expect(page.locator(".alert")).to_have_count(2)
    expect(page.locator(".alert").last).to_be_focused()


def test_an_answer_that_never_comes_is_not_the_end_of_asking(browser: Browser, url: str, site: Site) -> None:
    soon = "const real = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = () => real(1500);"
    page = opened(browser, url, soon)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    for path in ("**/live/queue", "**/live/wall*"):
        page.route(path, hold, times=1)
    until(held, 2, page)
    site.tell("after-all")
    expect(page.locator(".alert[data-incident=after-all]")).to_be_visible()
    with page.expect_response("**/live/wall*"):
        pass
    page.context.close()
    assert len(held) == 2


def test_events_are_asked_for_again_after_a_refusal(browser: Browser, url: str) -> None:
    """As a proxy refuses while the console behind it starts anew: a browser does not try that again by itself."""
    page = opened(browser, url)
    page.route("**/api/v1/events", lambda route: route.fulfill(status=502), times=1)
    page.reload()
    expect(page.locator(".alert").first).to_be_visible()
    with page.expect_request("**/api/v1/events"):
        pass
    page.context.close()


def test_an_answer_that_stops_in_the_middle_is_a_lost_connection(browser: Browser, url: str) -> None:
    """As `AbortSignal.timeout` ends one of which the head has come."""
    stops = """
        const real = Response.prototype.arrayBuffer;
        Response.prototype.arrayBuffer = function () {
            return window.stops ? Promise.reject(new DOMException("late", "TimeoutError")) : real.call(this);
        };
    """
    page = opened(browser, url, stops)
    expect(page.locator(".lost")).to_be_hidden()
    page.evaluate("window.stops = true")
    expect(page.locator(".lost")).to_be_visible()
    page.evaluate("window.stops = false")
    expect(page.locator(".lost")).to_be_hidden()
    page.context.close()


@pytest.mark.parametrize(
    ("what", "path"),
    [(".alert[data-incident=north-2]", "/live/incidents/"), (".tile[data-camera=gate-north]", "/video")],
)
def test_enter_that_is_held_on_what_has_the_focus_opens_it_once(page: Page, what: str, path: str) -> None:
    """Each time would be another question, and another viewing in the audit."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if path in request.url and "gatewatch-background" not in request.headers:
            asked.append(request.url)

    page.on("request", note)
    page.locator(what).focus()
    for _ in range(6):
        page.keyboard.down("Enter")  # the second and later ones are repetitions
    page.keyboard.up("Enter")
    expect(page.locator("#detail h2, #camera h2").first).to_be_visible()
    page.wait_for_timeout(300)
    assert len(asked) == 1, asked
