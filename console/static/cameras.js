// The page *Cameras*: one camera's picture with what is drawn on it, the lists beside it, and what it means in the file.

import { api, connected, data, element, Refused, t } from "./page.js";
import { Change } from "./change.js";
import { Drawing } from "./drawing.js";
import { Lists } from "./lists.js";
import { LivePicture } from "./livepicture.js";
import { Overlay } from "./overlay.js";
import { moment } from "./times.js";
import { Versions } from "./versions.js";

const PREVIEW_MS = 350;
const FOLLOW_MS = 1000;
const FOLLOW_MOST = 60;
const MODES = { "new-zone": "zones", "new-mask": "masks", "new-ground": "ground" };
const at = (id) => document.getElementById(id);
const camera = at("camera");
const url = () => `/api/v1/cameras/${encodeURIComponent(camera.value)}/configuration`;

const drawing = new Drawing();
const overlay = new Overlay(at("overlay"), drawing, select, (text) => (at("hint").textContent = text));
const lists = new Lists(at("lists"), drawing, select);
const change = new Change(at("change"), () => camera.value, () => drawing.body(base), apply);
const versions = new Versions(at("versions"), async (made) => {
  await load();
  follow(made);
});
const live = new LivePicture({ image: at("live"), none: at("none"), age: at("age"), shape: (ratio) => fit(ratio) });
let base = "";
let shown = "";
let turn = 0;
let fetching = 0;
let following = 0;
let timer = null;
let ratio = 16 / 9;

function say(text, bad = false) {
  at("said").textContent = text;
  at("said").className = bad ? "bad" : "";
}

function banner(text, ...buttons) {
  at("banner").replaceChildren(element("span", {}, text), ...buttons);
  at("banner").hidden = !text;
}

// Loading, and what others do meanwhile

async function load() {
  banner("");
  const found = await fetched();
  if (!found) return;
  drawing.load(found);
}

/** Null where it cannot be had, or where another camera was chosen meanwhile. */
async function fetched() {
  const mine = ++fetching;
  try {
    const found = await api(url());
    if (mine !== fetching) return null;
    base = found.base;
    shown = JSON.stringify([found.zones, found.masks, found.ground, found.rules]);
    lists.defaults = found.defaults;
    lists.schedules = found.schedules;
    change.writable = found.writable;
    if (found.faults.length) banner([t("cameras.file_faulty"), ...found.faults.map((one) => one.text)].join("\n"));
    else if (!found.writable) banner(t("cameras.read_only"));
    document.body.dataset.frozen = String(found.faults.length > 0);
    return found;
  } catch (error) {
    if (mine === fetching) banner(error instanceof Refused ? error.message : t("frame.lost"));
    return null;
  }
}

/** Somebody else changed the file. What they did to other cameras does not touch what is drawn here. */
async function changedBy(error) {
  const before = shown;
  const found = await fetched();
  if (!found || found.faults.length) return;
  const who = error.problem.who;
  if (shown === before) {
    say(t("cameras.changed_elsewhere", { who }));
    preview();
    return;
  }
  const theirs = element("button", { type: "button", id: "theirs" }, t("cameras.take_theirs"));
  theirs.addEventListener("click", () => {
    banner("");
    drawing.load(found);
  });
  base = "0".repeat(64);
  banner(t("cameras.changed_here", { who, when: moment(error.problem.at_s) }), theirs);
}

async function preview() {
  if (document.body.dataset.frozen === "true") return;
  const mine = ++turn;
  try {
    const found = await api(`${url()}/preview`, { method: "POST", body: drawing.body(base) });
    if (mine === turn) take(found);
    connected(true);
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof TypeError) connected(false);
    else if (error.code === "changed") {
      if (base !== "0".repeat(64)) await changedBy(error);
    } else take({ changed: drawing.dirty, diff: [], faults: [{ line: 0, text: error.message, where: null }], ground: null });
  }
}

function take(found) {
  const here = found.faults.filter((one) => one.where);
  overlay.faults = here;
  overlay.ground = lists.ground = found.ground;
  lists.faults = here;
  overlay.draw();
  relist();
  change.show(found);
  const count = found.diff.filter((one) => one.kind === "new" || one.kind === "gone").length;
  at("changed").textContent = found.faults.length ? "!" : found.changed ? String(count) : "";
  at("changed").toggleAttribute("data-some", found.changed || found.faults.length > 0);
  at("changed").toggleAttribute("data-bad", found.faults.length > 0);
}

async function apply(why) {
  try {
    const made = await api(url(), { method: "POST", body: { ...drawing.body(base), why } });
    await load();
    follow(made);
  } catch (error) {
    if (error.code === "changed") await changedBy(error);
    throw error;
  }
}

/** Says when the console and the analysis use it; of the newest one only. */
async function follow(made) {
  const mine = ++following;
  say(t("cameras.applied", { number: made.number }));
  for (let asked = 0; asked < FOLLOW_MOST; asked += 1) {
    await new Promise((done) => setTimeout(done, FOLLOW_MS));
    if (mine !== following) return;
    const now = await api("/api/v1/configuration", { background: true }).catch(() => null);
    if (mine !== following) return;
    if (now?.worker === made.config_version && now.config_version === made.config_version) {
      say(t("cameras.used", { number: made.number }));
      return;
    }
  }
  say(t("cameras.not_used", { number: made.number }), true);
}

// Choosing and drawing

function select(ref, options = {}) {
  overlay.choose(ref, options);
  lists.choose(ref);
  at("remove").disabled = ref === null;
}

let pointer = false;
let waiting = false;
/** Lists are built anew only while no button is held and nobody types: a click must find what it was begun on, and what is
 *  typed but not settled yet would be gone. */
function relist() {
  if (waiting) return;
  waiting = true;
  setTimeout(function again() {
    if (pointer || lists.typing) return setTimeout(again, 30);
    waiting = false;
    lists.draw();
  }, 0);
}
addEventListener("pointerdown", () => (pointer = true), true);
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, () => setTimeout(() => (pointer = false), 0), true);

drawing.addEventListener("change", ({ detail }) => {
  if (detail === "loaded" || detail === "step") select(null);
  overlay.draw();
  relist();
  at("undo").disabled = !drawing.past.length;
  at("redo").disabled = !drawing.future.length;
  change.forget();
  clearTimeout(timer);
  timer = setTimeout(preview, detail === "loaded" ? 0 : PREVIEW_MS);
});

function draws(id) {
  const mode = id === null || overlay.mode === MODES[id] ? null : MODES[id];
  overlay.draws(mode);
  for (const [name, one] of Object.entries(MODES)) at(name).setAttribute("aria-pressed", String(mode === one));
}
overlay.done = () => draws(null);

/** By keyboard there is no place to click: a shape in the middle, whose corners are moved by arrow keys. */
function byKeyboard(id) {
  draws(null);
  const what = MODES[id];
  if (what === "ground") select({ what, which: drawing.addGround([0.5, 0.7]), point: 0 }, { focus: true });
  else select({ what, which: drawing.add(what, [[0.4, 0.5], [0.6, 0.5], [0.6, 0.7], [0.4, 0.7]]), point: 0 }, { focus: true });
}

function remove() {
  const ref = overlay.selected;
  if (!ref) return;
  const left = drawing.remove(ref);
  select(left ? { ...ref, point: Math.max(0, ref.point - 1) } : null, { focus: left });
}

for (const id of Object.keys(MODES)) at(id).addEventListener("click", (event) => (event.detail === 0 ? byKeyboard(id) : draws(id)));
at("remove").addEventListener("click", remove);
at("undo").addEventListener("click", () => drawing.undo());
at("redo").addEventListener("click", () => drawing.redo());

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || document.body.dataset.frozen === "true") return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" && key !== "y") return;
    if (key === "y" || event.shiftKey) drawing.redo();
    else drawing.undo();
  } else if (event.altKey || at("picture").hidden) return;
  else if (key === "z") draws("new-zone");
  else if (key === "m") draws("new-mask");
  else if (key === "g") draws("new-ground");
  else if (key === "delete" || key === "backspace") remove();
  else if (key === "escape") {
    if (overlay.mode) draws(null);
    else select(null);
  } else if (key === "enter" && overlay.draft.length >= 3) overlay.close();
  else return;
  event.preventDefault();
});

// Tabs

const TABS = ["picture", "change", "versions"];
function tab(name, focus = false) {
  for (const one of TABS) {
    at(one).hidden = one !== name;
    at(`tab-${one}`).setAttribute("aria-selected", String(one === name));
    at(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
  if (focus) at(`tab-${name}`).focus();
  if (name === "versions") versions.load();
  if (name === "picture") fit(ratio);
}
for (const [number, name] of TABS.entries()) {
  at(`tab-${name}`).addEventListener("click", () => tab(name));
  at(`tab-${name}`).addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) tab(TABS[(number + by + TABS.length) % TABS.length], true);
  });
}

/** The sheet takes the picture's shape, as large as the stage lets it. */
function fit(shape) {
  if (shape !== ratio) overlay.shape(shape);
  ratio = shape;
  const { clientWidth: wide, clientHeight: high } = at("stage");
  const width = Math.min(wide, high * ratio);
  at("sheet").style.width = `${width}px`;
  at("sheet").style.height = `${width / ratio}px`;
}
new ResizeObserver(() => fit(ratio)).observe(at("stage"));

/** What was drawn is of another camera: until this one's is there nothing is drawn, and nothing can be put in force. */
function open() {
  say("");
  turn += 1;
  clearTimeout(timer);
  document.body.dataset.frozen = "true";
  drawing.load({ zones: [], masks: [], ground: [], rules: [] });
  take({ changed: false, diff: [], faults: [], ground: null });
  change.show(null);
  live.of(camera.value);
  history.replaceState(null, "", `?camera=${encodeURIComponent(camera.value)}`);
  load();
}
let before = null;
camera.addEventListener("change", () => {
  if (drawing.dirty && !confirm(t("cameras.leave"))) {
    camera.value = before;
    return;
  }
  before = camera.value;
  open();
});
addEventListener("beforeunload", (event) => {
  if (drawing.dirty) event.preventDefault();
});

const wanted = new URLSearchParams(location.search).get("camera");
if (data.cameras.some((one) => one.camera === wanted)) camera.value = wanted;
before = camera.value;
overlay.explain();
if (data.cameras.length) open();
else banner(t("cameras.no_cameras"));
