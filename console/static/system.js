// The page *System*: what the processes say of themselves every few seconds, dead letters, the audit.

import { api, connected, data, element, Refused, t } from "./page.js";
import { moment, span } from "./times.js";

const EVERY_MS = 5000;
const STALE_S = 15;
const body = (id) => document.querySelector(`#${id} tbody`);
const cell = (text, name = "") => element("td", { class: name }, text ?? "–");
const row = (...cells) => element("tr", {}, ...cells);
const none = (columns) => row(element("td", { colspan: String(columns), class: "dim" }, t("system.none")));

async function state() {
  try {
    show(await api("/live/system", { background: true }));
    connected(true);
  } catch (error) {
    if (error instanceof TypeError) connected(false);
  }
  setTimeout(state, EVERY_MS);
}

function show(found) {
  document.getElementById("asked").textContent = moment(found.now_s);
  const late = found.cameras.filter((one) => one.age_s === null || one.age_s > STALE_S).length;
  document.getElementById("figures").replaceChildren(
    figure(t("system.on_line"), `${found.cameras.length - late} / ${found.cameras.length}`, late > 0),
    figure(t("system.pending"), found.pending ?? "–", found.pending === null),
    figure(t("system.spooled"), found.spooled ?? "–", (found.spooled ?? 1) > 0),
    figure(t("system.days"), days(found.days_to_full), found.days_to_full !== null && found.days_to_full < 7),
  );
  configuration(found.configuration);
  body("processes").replaceChildren(
    ...found.processes.map((one) =>
      row(
        cell(t(`process.${one.name}`)),
        one.ready === null ? cell(t("system.silent"), "bad") : one.ready ? cell(t("system.well"), "ok") : cell(one.failing.join("; "), "bad"),
        cell(one.memory_bytes === null ? null : `${(one.memory_bytes / 1e6).toFixed(0)} MB`, "n"),
        cell(one.started_s === null ? null : span(found.now_s - one.started_s), "n"),
      ),
    ),
  );
  body("cameras").replaceChildren(
    ...found.cameras.map((one) =>
      row(
        cell(one.name),
        cell(one.age_s === null ? null : `${one.age_s.toFixed(1)} s`, `n${one.age_s === null || one.age_s > STALE_S ? " bad" : ""}`),
        cell(count(one.analysed), "n"), cell(reasons(one.dropped, count)), cell(count(one.reconnects ?? 0), "n"),
        cell(one.recorded_s === null ? null : span(one.recorded_s), "n"), cell(reasons(one.gaps_s, span, "cause.")),
        cell(one.kept_s === null ? null : t("system.days_of", { have: (one.kept_s / 86400).toFixed(1), want: ((data.keep_s[one.camera] ?? 0) / 86400).toFixed(0) }), "n"),
      ),
    ),
  );
  body("channels").replaceChildren(
    ...(found.channels.length
      ? found.channels.map((one) => row(cell(one.channel), cell(reasons(one.outcomes, count)), cell(one.mean_delay_s === null ? null : `${one.mean_delay_s.toFixed(2)} s`, "n")))
      : [none(3)]),
  );
}

function figure(name, value, bad) {
  return element("div", { class: "figure", "data-bad": bad }, element("b", {}, String(value)), element("span", {}, name));
}

function configuration({ faults, needs_restart: waits }) {
  const card = document.getElementById("configuration");
  card.hidden = !faults.length && !waits.length;
  card.replaceChildren(
    ...(faults.length ? [element("h2", {}, t("system.config_faulty")), ...faults.map((one) => element("p", {}, element("code", {}, one)))] : []),
    ...(waits.length ? [element("p", {}, t("system.needs_restart", { keys: waits.join(", ") }))] : []),
  );
}

const count = (value) => (value === null ? null : Math.round(value).toLocaleString());
const days = (value) => (value === null ? "–" : value > 3650 ? "> 10 a" : value.toFixed(0));

function reasons(found, form, prefix = "") {
  return Object.entries(found).map(([name, value]) => `${prefix ? t(prefix + name) : name} ${form(value)}`).join(", ") || "–";
}

async function dead() {
  const rows = await api("/api/v1/dead-letters", { background: true });
  body("dead").replaceChildren(
    ...(rows.length
      ? rows.map((one) => row(element("td", {}, element("input", { type: "checkbox", value: String(one.delivery_id), "aria-label": String(one.delivery_id) })), cell(one.finished_s ? moment(one.finished_s) : ""), cell(one.channel), cell(one.recipient), cell(one.reason)))
      : [none(5)]),
  );
  document.getElementById("resend").disabled = !rows.length;
}

async function resend() {
  const chosen = [...document.querySelectorAll("#dead input:checked")].map((one) => Number(one.value));
  const said = document.getElementById("said");
  try {
    const { deliveries } = await api("/api/v1/dead-letters/resend", { method: "POST", body: { deliveries: chosen.length ? chosen : null } });
    said.textContent = t("system.resent", { count: deliveries.length });
    await dead();
  } catch (error) {
    failed(error);
  }
}

let cursor = null;
/** One page at a time: the same one asked for twice would stand there twice. */
async function audit() {
  const older = document.getElementById("older");
  older.disabled = true;
  await lines().catch(failed);
  older.disabled = false;
}

function failed(error) {
  document.getElementById("said").textContent = error instanceof Refused ? error.message : t("system.lost");
}

async function lines() {
  const query = new URLSearchParams({ limit: "30", ...(cursor ? { cursor } : {}) });
  const page = await api(`/api/v1/audit?${query}`, { background: true });
  cursor = page.cursor;
  for (const one of page.lines) {
    const detail = Object.entries(one.detail ?? {}).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
    body("audit").append(row(cell(moment(one.at_s)), cell(one.who), cell(one.action), cell(one.subject), cell(detail, "dim")));
  }
  document.getElementById("older").hidden = cursor === null;
}

document.getElementById("resend").addEventListener("click", resend);
document.getElementById("older").addEventListener("click", audit);
document.getElementById("audit-card").hidden = !data.may.people;
state();
dead().catch(failed);
if (data.may.people) audit();
