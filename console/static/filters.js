// The filter of the history: it stands in the page's address, under the names that the API has, so a view is a link.

import { ask } from "./dialog.js";
import { data, element, language, t } from "./page.js";
import { instant, moment, wallClock } from "./times.js";

const DAY_S = 86_400;
const LEVELS = ["1", "2", "3", "4"];
const VERDICTS = ["true", "false", "drill", "duplicate", "unsure", "none"];
export const NAMES = [
  "since_s", "until_s", "camera", "zone", "kind", "rule", "severity", "level", "state", "verdict", "weekday", "hour", "text", "drills",
];
const camera = new Map(data.cameras.map((one) => [one.camera, one.name]));
const zones = [...new Set(data.cameras.flatMap((one) => Object.keys(one.zones)))].sort();
/** From Monday (2024-01-01 was one), which the API numbers 1. */
export const WEEKDAYS = [...Array(7).keys()].map((day) => new Intl.DateTimeFormat(language, { weekday: "short", timeZone: "UTC" }).format(Date.UTC(2024, 0, 1 + day)));

const SHOWN = {
  since_s: (value) => t("history.chip.since", { when: moment(Number(value)) }),
  until_s: (value) => t("history.chip.until", { when: moment(Number(value)) }),
  camera: (value) => camera.get(value) ?? value,
  zone: (value) => t("history.chip.zone", { zone: value }),
  kind: (value) => kindName(value),
  rule: (value) => t("history.chip.rule", { rule: value }),
  severity: (value) => t("history.chip.severity", { level: value }),
  level: (value) => levelName(value),
  state: (value) => t(`history.state.${value}`),
  verdict: (value) => verdictName(value),
  weekday: (value) => WEEKDAYS[Number(value) - 1] ?? value,
  hour: (value) => t("history.chip.hour", { from: String(value).padStart(2, "0"), to: String((Number(value) + 1) % 24).padStart(2, "0") }),
  text: (value) => `“${value}”`,
  drills: (value) => t(value === "false" ? "history.chip.no_drills" : "history.chip.drills"),
};

export function kindName(kind) {
  return data.kinds.includes(kind) ? t(`kind.${kind}`) : kind;
}

export function levelName(level) {
  return LEVELS.includes(String(level)) ? t(`severity.${level}`) : String(level);
}

export function verdictName(verdict) {
  return VERDICTS.includes(verdict) ? t(verdict === "none" ? "history.unjudged" : `verdict.${verdict}`) : verdict;
}

/** The filter that the address asks for. */
export function current() {
  const given = new URLSearchParams(location.search);
  return new URLSearchParams(NAMES.filter((name) => given.get(name)).map((name) => [name, given.get(name)]));
}

/** What is looked at when nothing is asked for: thirty days. */
export function usual() {
  const midnight_s = instant(`${wallClock(data.now_s - 30 * DAY_S).slice(0, 10)}T00:00`);
  return new URLSearchParams({ since_s: midnight_s });
}

/** The address of the present filter with `more` on top; a value of null takes one off. */
export function link(more, from = current()) {
  const made = new URLSearchParams(from);
  for (const [name, value] of Object.entries(more)) {
    if (value === null) made.delete(name);
    else made.set(name, String(value));
  }
  return `/history?${made}`;
}

/** Each part of the filter as a link that takes it off. */
export function chips() {
  return [...current()].map(([name, value]) => {
    const words = SHOWN[name](value);
    return element("a", { class: "chip", href: link({ [name]: null }), "aria-label": t("history.take_off", { what: words }) }, words, element("span", { "aria-hidden": "true" }, "×"));
  });
}

/** The form that adds to the filter; `apply(address)` goes there. */
export function form(apply) {
  const now = current();
  const get = (name) => now.get(name) ?? "";
  const field = (name, made) => element("label", {}, t(`history.field.${name}`), made);
  const choice = (name, choices) =>
    element("select", { name }, element("option", { value: "" }, t("history.any")), ...choices.map(([value, words]) => element("option", { value, selected: get(name) === value }, words)));
  const time = (name) => element("input", { type: "datetime-local", name, value: get(name) ? wallClock(Number(get(name))) : "" });
  const hours = [...Array(24).keys()].map((hour) => [String(hour), SHOWN.hour(hour)]);
  const fields = [
    field("since_s", time("since_s")), field("until_s", time("until_s")),
    field("camera", choice("camera", [...camera])), field("zone", choice("zone", zones.map((one) => [one, one]))),
    field("kind", choice("kind", data.kinds.map((one) => [one, kindName(one)]))), field("severity", choice("severity", LEVELS.map((one) => [one, SHOWN.severity(one)]))),
    field("state", choice("state", ["open", "closed"].map((one) => [one, t(`history.state.${one}`)]))), field("verdict", choice("verdict", VERDICTS.map((one) => [one, verdictName(one)]))),
    field("weekday", choice("weekday", WEEKDAYS.map((one, at) => [String(at + 1), one]))), field("hour", choice("hour", hours)),
    field("text", element("input", { name: "text", maxlength: "200", value: get("text") })), field("drills", choice("drills", [["false", t("history.chip.no_drills")]])),
  ];
  const words = { send: t("history.show"), cancel: t("history.cancel") };
  const send = (made) => {
    const more = Object.fromEntries([...new FormData(made)].map(([name, value]) => [name, value.trim() || null]));
    for (const name of ["since_s", "until_s"]) if (more[name] !== null) more[name] = instant(more[name]);
    if (more.severity !== null) more.level = null;
    apply(link(more));
  };
  ask(t("history.filter"), fields, words, send, { style: "filter" });
}

/** Times that are asked for often, as links. */
export function presets() {
  const midnight = (days) => instant(`${wallClock(data.now_s - days * DAY_S).slice(0, 10)}T00:00`);
  const spans = [["today", midnight(0)], ["week", midnight(6)], ["month", midnight(30)], ["year", midnight(365)]];
  return spans.map(([name, since_s]) => element("a", { href: link({ since_s, until_s: null }) }, t(`history.preset.${name}`)));
}
