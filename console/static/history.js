// The page *History*: the filter as chips, a table that asks for a page at a time, charts, one incident large, export.

import { answer } from "./answers.js";
import { api, connected, data, element, t } from "./page.js";
import { draw, summary } from "./charts.js";
import { chips, current, form, kindName, levelName, link, presets, usual, verdictName } from "./filters.js";
import { ask } from "./dialog.js";
import { askSnooze } from "./forms.js";
import { IncidentView } from "./incident.js";
import { listen } from "./keys.js";
import { span, wallClock } from "./times.js";

const PAGE = 100;
/** Beyond so many rows nobody scrolls: the filter is what finds. */
const MOST = 3000;
const at = (id) => document.getElementById(id);
const [body, side, charts, root] = ["rows", "list", "charts", "detail"].map(at);
const view = new IncidentView(root, act, () => open(null));
let asked = null; // what is under way for the present filter; a newer filter ends it
let cursor = null;
let figures = null;

function say(text, bad = false) {
  at("said").textContent = text;
  at("said").classList.toggle("fault", bad);
}

/** Goes to an address of this page without loading it anew. */
function go(address) {
  history.pushState(null, "", address);
  show();
}

function show() {
  const filter = current();
  at("chips").replaceChildren(...chips());
  at("presets").replaceChildren(...presets());
  for (const one of document.querySelectorAll(".languages a")) {
    const query = new URLSearchParams(location.search);
    query.set("language", one.lang);
    one.href = `?${query}`;
  }
  const wanted = new URLSearchParams(location.search).get("incident");
  if (wanted !== view.id) large(wanted);
  if (asked && asked.filter === String(filter)) return;
  asked?.stop.abort();
  asked = { filter: String(filter), stop: new AbortController(), busy: false, ended: false };
  cursor = null;
  body.replaceChildren();
  side.scrollTop = 0;
  page(asked);
  add(asked);
}

/** The next page of the table. */
async function page(mine) {
  if (mine.busy || mine.ended) return;
  mine.busy = true;
  const query = new URLSearchParams(mine.filter);
  query.set("limit", PAGE);
  if (cursor) query.set("cursor", cursor);
  try {
    const found = await api(`/api/v1/incidents?${query}`, { signal: mine.stop.signal });
    if (mine !== asked) return;
    body.append(...found.incidents.map(row));
    cursor = found.cursor;
    mine.ended = cursor === null || body.children.length >= MOST;
    at("end").textContent = cursor === null ? t(body.children.length ? "history.end" : "history.none") : mine.ended ? t("history.enough", { count: MOST }) : "";
    mark(view.id);
    connected(true);
  } catch (error) {
    failed(error);
  } finally {
    mine.busy = false;
  }
  if (mine === asked && !mine.ended && near()) page(mine);
}

const near = () => side.scrollHeight - side.scrollTop - side.clientHeight < 600;

/** The figures; they may take seconds, so the table does not wait for them. */
async function add(mine) {
  charts.setAttribute("aria-busy", "true");
  at("summary").textContent = t("history.adding");
  try {
    const found = await api(`/api/v1/stats?${mine.filter}`, { signal: mine.stop.signal });
    if (mine !== asked) return;
    figures = found;
    at("summary").textContent = summary(figures);
    draw(charts, figures);
    charts.removeAttribute("aria-busy");
  } catch (error) {
    if (mine === asked) at("summary").textContent = "";
    failed(error);
  }
}

function failed(error) {
  if (error.name === "AbortError") return;
  if (error instanceof TypeError) connected(false);
  else say(error.message, true);
}

function row(one) {
  const thread = one.thread;
  const first = element("a", { href: openAt(one.incident_id), class: "open" }, wallClock(one.opened_s).replace("T", " "));
  const level = element("span", { class: "level", "data-level": String(one.severity), title: levelName(one.severity) }, String(one.severity));
  const made = element("tr", { "data-incident": one.incident_id },
    element("td", {}, first), element("td", {}, level), element("td", {}, kindName(one.kind), one.drill ? element("small", {}, ` ${t("now.drill")}`) : ""),
    element("td", {}, [one.camera_name, one.zone === "-" ? "" : one.zone].filter(Boolean).join(" · ")),
    element("td", { class: "n" }, one.closed_s === null ? t("history.state.open") : span(one.closed_s - one.opened_s)),
    element("td", {}, answered(thread)), element("td", {}, one.verdict ? verdictName(one.verdict) : "–"));
  made.addEventListener("click", (event) => event.target.closest("a") || open(one.incident_id));
  return made;
}

function answered(thread) {
  if (!thread) return "–";
  if (thread.acknowledged_s !== null) return [`+${span(thread.acknowledged_s - thread.created_s)}`, thread.acknowledged_by].filter(Boolean).join(" ");
  return t(`state.${thread.state}`);
}

const openAt = (id) => {
  const query = current();
  if (id) query.set("incident", id);
  return `/history?${query}`;
};

function open(id) {
  go(openAt(id));
}

/** One incident beside the table, or none. */
function large(id) {
  mark(id);
  charts.hidden = id !== null;
  if (id === null) {
    view.leave();
    if (figures) draw(charts, figures);
    return;
  }
  view.open({ incident_id: id }).catch((error) => {
    view.leave();
    charts.hidden = false;
    failed(error);
  });
}

function mark(id) {
  for (const one of body.querySelectorAll("tr[aria-current]")) one.removeAttribute("aria-current");
  if (id !== null) body.querySelector(`tr[data-incident="${CSS.escape(id)}"]`)?.setAttribute("aria-current", "true");
}

async function act(name, found) {
  if (name === "next") return beside(1, true);
  if (name === "snooze") return askSnooze(found, say);
  if (!(await answer(name, found, say))) return;
  view.refresh().catch(failed);
  const whole = await api(`/api/v1/incidents/${encodeURIComponent(found.incident_id)}`).catch(() => null);
  const old = body.querySelector(`tr[data-incident="${CSS.escape(found.incident_id)}"]`);
  if (whole && old) old.replaceWith(row(whole));
  mark(view.id);
}

/** The row `by` places from the one with the focus, or else from the one that is open. */
function beside(by, opens = view.id !== null) {
  const rows = [...body.children];
  const here = document.activeElement?.closest("#rows tr") ?? body.querySelector("tr[aria-current]");
  const to = rows[here ? Math.min(rows.length - 1, Math.max(0, rows.indexOf(here) + by)) : 0];
  if (!to) return;
  const focus = to.querySelector("a");
  focus.focus({ preventScroll: true });
  to.scrollIntoView({ block: "nearest" });
  if (opens) open(to.dataset.incident);
}

function take() {
  const format = element("select", { name: "format" }, ...["csv", "json", "jsonl", "parquet"].map((one) => element("option", { value: one }, t(`history.format.${one}`))));
  const excel = element("input", { type: "checkbox", name: "bom", value: "true", checked: true });
  const reason = element("textarea", { name: "reason", rows: "3", maxlength: "500", required: true });
  const fields = [element("p", { class: "dim" }, t("history.export_hint")), element("label", {}, t("history.field.format"), format),
    element("label", { class: "check" }, excel, t("history.excel")), element("label", {}, t("footage.reason"), reason)];
  format.addEventListener("change", () => (excel.closest("label").hidden = format.value !== "csv"));
  reason.addEventListener("input", () => reason.setCustomValidity(reason.value && !reason.value.trim() ? t("footage.reason") : ""));
  ask(t("history.export"), fields, { send: t("history.export"), cancel: t("history.cancel") }, () => {
    const query = current();
    query.set("format", format.value);
    query.set("reason", reason.value.trim());
    if (format.value === "csv" && excel.checked) query.set("bom", "true");
    // The browser writes it to the disk as it comes: a file may be larger than a page can hold.
    element("a", { href: `/api/v1/exports/incidents?${query}`, download: `incidents.${format.value}` }).click();
    say(t("history.exporting"));
  });
}

const filter = () => form(go);
const KEYS = { ArrowDown: () => beside(1), ArrowUp: () => beside(-1), j: () => beside(1), k: () => beside(-1), f: filter, "/": filter, e: () => data.may.export && take(), Escape: () => view.id !== null && open(null) };
listen(KEYS, "video");
// Links of this page change the view; with a key held they open as links do.
document.addEventListener("click", (event) => {
  const to = event.target.closest("a[href^='/history?']");
  if (!to || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go(to.getAttribute("href"));
});
at("filter").addEventListener("click", filter);
at("export")?.addEventListener("click", take);
side.addEventListener("scroll", () => asked && near() && page(asked), { passive: true });
addEventListener("popstate", show);
let width = charts.clientWidth;
new ResizeObserver(() => {
  if (figures && !charts.hidden && Math.abs(charts.clientWidth - width) > 8) draw(charts, figures);
  width = charts.clientWidth;
}).observe(charts);

if (!location.search.replace(/^\?language=[\w-]+$/, "")) history.replaceState(null, "", link({}, usual()));
show();
