// The page *Footage*: camera and day, line and player, marks to hold or to export.

import { ask as askIn } from "./dialog.js";
import { listen } from "./keys.js";
import { api, data, element, t } from "./page.js";
import { Player } from "./player.js";
import { hour, instant, moment, span, wallClock } from "./times.js";
import { Timeline } from "./timeline.js";

const DAY_S = 86_400;
const at = (id) => document.getElementById(id);
const [video, note, camera, day] = ["video", "note", "camera", "day"].map(at);

const player = new Player(video, (text) => {
  note.textContent = text;
  note.hidden = !text;
});
const line = new Timeline(at("line"), (at_s) => play(at_s), (text) => (at("under").textContent = text));
let range = [null, null];

const midnight = (date) => instant(`${date}T00:00`);
const localDate = (at_s) => wallClock(at_s).slice(0, 10);

let asked = 0;
async function load() {
  const mine = ++asked;
  const from = midnight(day.value);
  const to = midnight(localDate(from + 1.3 * DAY_S));
  try {
    const found = await api(`/api/v1/cameras/${encodeURIComponent(camera.value)}/timeline?from_s=${from}&to_s=${Math.min(to, Date.now() / 1000 + 1)}`);
    if (mine !== asked) return; // of another camera or day
    line.show(found, from, to);
    const missing = found.gaps.reduce((sum, one) => sum + one.to_s - one.from_s, 0);
    at("summary").textContent = found.recorded.length
      ? t("footage.complete", { percent: (100 * (found.completeness ?? 0)).toFixed(2), missing: span(missing) })
      : t("footage.nothing_day");
  } catch (error) {
    if (mine === asked) at("summary").textContent = error.message;
  }
}

async function play(at_s) {
  line.hand = at_s;
  line.draw();
  try {
    await player.open(camera.value, at_s);
    await video.play().catch(() => {});
  } catch (error) {
    note.textContent = error.message;
    note.hidden = false;
  }
}

function toggle() {
  if (!video.src) return play(line.hand ?? line.view?.[0] ?? data.now_s - 60);
  if (video.paused) video.play().catch(() => {});
  else video.pause();
}

function step(by) {
  video.pause();
  video.currentTime = Math.max(0, video.currentTime + by / 25);
}

function mark(which) {
  const shown = player.shown_s;
  if (shown === null) return;
  range[which] = shown;
  if (range[0] !== null && range[1] !== null && range[0] > range[1]) range.reverse();
  marked();
}

function marked() {
  const whole = range[0] !== null && range[1] !== null && range[1] > range[0];
  at("range").textContent = range.every((one) => one === null) ? "" : range.map((one) => (one === null ? "–" : hour(one))).join(" … ");
  for (const name of ["hold", "export"]) at(name).disabled = !whole;
  line.range = range;
  line.draw();
}

async function snapshot() {
  if (!video.videoWidth || player.shown_s === null) return;
  const { shown_s, camera: seen } = player;
  const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const name = `${seen}-${new Date(shown_s * 1000).toISOString().replaceAll(":", "")}.png`;
  try {
    // It stands in the audit before anybody has it.
    await api(`/api/v1/cameras/${encodeURIComponent(seen)}/snapshots`, { method: "POST", body: { at_s: shown_s } });
  } catch (error) {
    at("under").textContent = error.message;
    return;
  }
  canvas.toBlob((blob) => save(URL.createObjectURL(blob), name));
}

function save(url, name) {
  element("a", { href: url, download: name }).click();
}

function ask(title, hint, fields, done) {
  const reason = element("textarea", { rows: "3", maxlength: "500", required: true });
  const all = [element("p", {}, `${camera.selectedOptions[0].text} · ${moment(range[0])} … ${hour(range[1])}`), element("p", { class: "dim" }, hint),
    element("label", {}, t("footage.reason"), reason), ...fields];
  const send = async () => {
    await done(reason.value.trim());
    load();
  };
  askIn(title, all, { send: title, cancel: t("footage.cancel") }, send, { say: (text) => (at("under").textContent = text) });
}

function hold() {
  const owner = element("input", { maxlength: "100", required: true });
  const label = element("label", {}, t("footage.owner"), owner);
  ask(t("footage.hold"), t("footage.hold_hint"), [label], (reason) =>
    api("/api/v1/holds", { method: "POST", body: { cameras: [camera.value], from_s: range[0], to_s: range[1], reason, owner: owner.value.trim() } }),
  );
}

function take() {
  ask(t("footage.export"), t("footage.export_hint"), [], async (reason) => {
    const query = new URLSearchParams({ from_s: range[0], to_s: range[1], reason });
    const answer = await fetch(`/api/v1/cameras/${encodeURIComponent(camera.value)}/video?${query}`);
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? String(answer.status));
    save(URL.createObjectURL(await answer.blob()), `${camera.value}-${Math.round(range[0])}-${Math.round(range[1])}.mp4`);
  });
}

const KEYS = { " ": toggle, ",": () => step(-1), ".": () => step(1), i: () => mark(0), o: () => mark(1) };
listen(KEYS);
at("play").addEventListener("click", toggle);
at("back").addEventListener("click", KEYS[","]);
at("forth").addEventListener("click", KEYS["."]);
at("from").addEventListener("click", KEYS.i);
at("to").addEventListener("click", KEYS.o);
at("snapshot").addEventListener("click", snapshot);
at("hold").addEventListener("click", hold);
at("export").addEventListener("click", take);
at("hold").hidden = !data.may.hold;
at("export").hidden = !data.may.export;
at("speed").addEventListener("change", (event) => (video.playbackRate = Number(event.target.value)));
for (const [id, by] of [["before", -1], ["after", 1]]) {
  at(id).addEventListener("click", () => {
    day.value = localDate(midnight(day.value) + (by > 0 ? 1.5 : -0.5) * DAY_S);
    line.reset();
    load();
  });
}
day.addEventListener("change", () => {
  line.reset();
  load();
});
/** What is shown, marked, held and exported is always the chosen camera's: the same moment is shown of the other one. */
camera.addEventListener("change", () => {
  const at_s = player.shown_s ?? line.hand;
  range = [null, null];
  marked();
  line.reset();
  load();
  if (player.camera && at_s !== null) play(at_s);
});
for (const name of ["play", "pause"]) video.addEventListener(name, () => (at("play-text").textContent = t(video.paused ? "footage.play" : "footage.pause")));
video.addEventListener("playing", () => (video.playbackRate = Number(at("speed").value)));

function tick() {
  const shown = player.shown_s;
  if (shown !== null && Math.abs((line.hand ?? 0) - shown) > 0.2) {
    line.hand = shown;
    at("clock").textContent = moment(shown);
    line.canvas.setAttribute("aria-valuetext", moment(shown));
    line.draw();
  }
  requestAnimationFrame(tick);
}

const wanted = new URLSearchParams(location.search);
if (wanted.get("camera")) camera.value = wanted.get("camera");
const start = Number(wanted.get("at")) || null;
day.value = localDate(start ?? data.now_s);
load().then(() => start && play(start));
setInterval(load, 60_000);
tick();
