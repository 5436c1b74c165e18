// What the incidents of the filter add up to. Every mark leads to the incidents behind it, by chips that it adds.

import { data, element, t } from "./page.js";
import { kindName, levelName, link, verdictName, WEEKDAYS } from "./filters.js";
import { bars, columns, heatMap, reaches } from "./svg.js";

const MOST_ROWS = 12;
const MOST_COLUMNS = 120;

/** Fills `root` with the figures that `GET /api/v1/stats` gave; each has the filter that lists its incidents. */
export function draw(root, figures) {
  const width = Math.max(280, (root.clientWidth || 600) - 34);
  const parts = [when, days, kinds, cameras, answers, precision, levels, verdicts, places];
  const found = parts.map((part) => part(figures, width)).filter(Boolean);
  root.replaceChildren(...found.map(([key, ...inside]) => element("section", { class: "card" }, element("h2", {}, t(`history.chart.${key}`)), ...inside)));
  if (!found.length) root.replaceChildren(element("p", { class: "dim" }, t("history.none")));
}

/** Figures leave drills out, so the lists that they lead to do so as well. A level takes the place of "or graver". */
const go = (more) => link({ drills: false, ...("level" in more ? { severity: null } : {}), ...more });

function when(figures, width) {
  if (!figures.incidents) return null;
  const cells = WEEKDAYS.map((_, row) => figures.by_hour_and_weekday.filter((one) => one.weekday === row + 1).sort((a, b) => a.hour - b.hour));
  const hour = (at) => `${String(at).padStart(2, "0")}:00`;
  return ["when", heatMap(width, {
    label: t("history.chart.when"), rows: WEEKDAYS, columns: [...Array(24).keys()].map(String), cells: cells.map((row) => row.map((one) => one.incidents)),
    names: (row, column, count) => t("history.cell", { weekday: WEEKDAYS[row], hour: hour(column), count }),
    href: (row, column) => go(cells[row][column].filter),
  })];
}

function days(figures, width) {
  const all = figures.by_day;
  if (all.length < 2) return null;
  const each = Math.ceil(all.length / MOST_COLUMNS);
  const rows = [];
  for (let at = 0; at < all.length; at += each) {
    const span = all.slice(at, at + each);
    const [first, last] = [span[0], span.at(-1)];
    rows.push({
      name: first === last ? first.day : `${first.day} – ${last.day}`, short: first.day.slice(5), value: span.reduce((sum, one) => sum + one.incidents, 0),
      href: go({ since_s: first.filter.since_s, until_s: last.filter.until_s }),
    });
  }
  return ["days", columns(width, { label: t("history.chart.days"), rows })];
}

/** Bars of buckets, each named by `name(bucket)`. */
function listed(key, width, buckets, name, kind = () => "") {
  if (!buckets.length) return null;
  const rows = buckets.slice(0, MOST_ROWS).map((one) => ({ name: name(one), value: one.incidents, kind: kind(one), href: go(one.filter) }));
  const more = buckets.length > MOST_ROWS ? element("p", { class: "dim" }, t("history.more_rows", { count: buckets.length - MOST_ROWS })) : "";
  return [key, bars(width, { label: t(`history.chart.${key}`), rows }), more];
}

const kinds = (figures, width) => listed("kinds", width, figures.by_kind, (one) => kindName(one.kind));
const cameras = (figures, width) => listed("cameras", width, figures.by_camera, (one) => one.name);
const levels = (figures, width) => listed("levels", width, figures.by_level, (one) => levelName(one.level), (one) => `level${one.level}`);
const verdicts = (figures, width) => listed("verdicts", width, figures.by_verdict, (one) => verdictName(one.verdict));
const places = (figures, width) =>
  listed("places", width, figures.repeat_places, (one) => [one.name, one.zone, kindName(one.kind)].filter((part) => part && part !== "-").join(" · "));

/** Seconds on a logarithmic scale from 1 s to a day. */
function answers(figures, width) {
  const rows = [];
  for (const [name, groups] of Object.entries(figures.delays)) {
    for (const one of groups.by_level) {
      const what = `${t(`history.answer.${name}`)}, ${t("history.level", { level: one.level })}`;
      rows.push({
        name: what, from: one.median_s, at: one.median_s, to: one.p95_s, text: `${brief(one.median_s)} / ${brief(one.p95_s)}`,
        title: t("history.delay", { what, count: one.count, median: brief(one.median_s), p95: brief(one.p95_s) }),
        href: go(one.filter),
      });
    }
  }
  if (!rows.length) return null;
  const scale = (seconds) => Math.log(Math.max(1, seconds)) / Math.log(86_400);
  const ticks = [[1, "1 s"], [10, "10 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"]];
  return ["answers", reaches(width, { label: t("history.chart.answers"), rows, scale, ticks }), element("p", { class: "dim" }, t("history.answers_hint"))];
}

function precision(figures, width) {
  const judged = figures.precision.filter((one) => one.precision !== null);
  const rules = judged.filter((one) => one.camera).sort((a, b) => b.true + b.false - a.true - a.false);
  const rows = [...judged.filter((one) => !one.camera), ...rules].slice(0, MOST_ROWS);
  if (!rows.length) return null;
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  const marks = rows.map((one) => {
    const name = [one.camera ? one.name : t("history.all_cameras"), one.camera ? one.rule : kindName(one.kind)].join(" · ");
    const values = { what: name, share: percent(one.precision), low: percent(one.low), high: percent(one.high), right: one.true, wrong: one.false };
    return { name, from: one.low, at: one.precision, to: one.high, text: `${percent(one.precision)} (${one.true + one.false})`, title: t("history.share", values), href: go({ ...one.filter, verdict: null }) };
  });
  const scale = (share) => share;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => [share, percent(share)]);
  const wrong = rows.filter((one) => one.false).map((one) => element("a", { href: go(one.filter) }, t("history.wrong", { what: one.camera ? `${one.name} · ${one.rule}` : kindName(one.kind), count: one.false })));
  return ["precision", reaches(width, { label: t("history.chart.precision"), rows: marks, scale, ticks }), element("p", { class: "wrong" }, ...wrong.flatMap((one) => [one, " "])), element("p", { class: "dim" }, t("history.precision_hint"))];
}

function brief(seconds) {
  if (seconds < 99.5) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** One line that says what was added up. */
export function summary(figures) {
  if (!figures.incidents) return t("history.none");
  const values = { count: figures.incidents.toLocaleString(), open: figures.open, first: figures.first_day, last: figures.last_day, zone: data.timezone };
  return t("history.summary", values);
}
