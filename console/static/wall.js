// The wall: each camera's newest analysed picture, about once a second, with boxes, zones and running clocks drawn over it.

import { pressed } from "./keys.js";
import { api, connected, data, element, pictures, t } from "./page.js";
import { clock, span } from "./times.js";

const EVERY_MS = 1000;
const STALE_S = 5;
const COLOURS = { person: "#8fe0ff", other: "#c9d2da", zone: "#7fb2d9", watch: "#e0b45c", bad: "#f0706a" };

const tiles = new Map();
let number = 0;
let config = null;
let leaving = false;
let followed = { camera: null };

/** Pixels; the footer is the line with name and age. */
const [GAP, PAD, FOOTER, SMALLEST] = [9, 9, 34, 150];
const UNKNOWN = 4 / 3 + 1e-6;
let shape = UNKNOWN;

/** Build the tiles; `open(camera)` when one is chosen. */
export function build(open) {
  const parent = document.getElementById("tiles");
  for (const camera of data.cameras) {
    const canvas = element("canvas", { width: 640, height: 480 });
    const age = element("span", { class: "age" });
    const rules = element("span", { class: "rules" });
    const stale = element("p", { class: "stale" }, t("now.waiting"));
    const tile = element(
      "article",
      { class: "tile", tabindex: "0", role: "button", "aria-label": camera.name, "data-camera": camera.camera },
      canvas,
      stale,
      element("footer", {}, element("b", {}, camera.name), age, rules),
    );
    tile.addEventListener("click", () => open(camera));
    pressed(tile, () => open(camera));
    parent.append(tile);
    tiles.set(camera.camera, { camera, tile, canvas, age, rules, stale, seen: null });
  }
  setInterval(ages, 500);
  new ResizeObserver(fit).observe(parent.parentElement);
  poll();
}

/** The whole wall in sight, its tiles as large as that allows; many cameras on a small screen are scrolled instead. */
function fit() {
  const parent = document.getElementById("tiles");
  const room = parent.parentElement;
  const [width, height] = [room.clientWidth - 2 * PAD, room.clientHeight - 2 * PAD];
  const count = tiles.size;
  if (!count || width <= 0) return;
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const across = (width - GAP * (columns - 1)) / columns;
    const down = ((height - GAP * (rows - 1)) / rows - FOOTER) * shape;
    const size = Math.min(across, down);
    if (size > best.size) best = { columns, size };
  }
  if (best.size < SMALLEST) {
    best.columns = Math.max(1, Math.floor((width + GAP) / (SMALLEST + GAP)));
    best.size = (width - GAP * (best.columns - 1)) / best.columns;
  }
  parent.style.setProperty("--columns", String(best.columns));
  parent.style.setProperty("--size", `${Math.floor(best.size)}px`);
}

/** The newest that is known of a camera: `time_s`, `boxes`, `rules`; null before the first picture. */
export function newest(camera) {
  return tiles.get(camera)?.seen ?? null;
}

/** Draw this camera also on `canvas` (if any) and its age into `age`; null ends it. */
export function follow(camera, canvas = null, age = null) {
  followed = { camera, canvas, age };
  const one = tiles.get(camera);
  if (one?.seen && canvas) copy(one.canvas);
  ages();
}

function copy(from) {
  const { canvas } = followed;
  canvas.width = from.width;
  canvas.height = from.height;
  canvas.getContext("2d").drawImage(from, 0, 0);
}

/** Mark the cameras that have an unanswered alert with its gravest level. */
export function mark(levels) {
  for (const [camera, { tile }] of tiles) {
    const level = levels.get(camera);
    if (level === undefined) delete tile.dataset.alert;
    else tile.dataset.alert = String(level);
  }
}

async function poll() {
  try {
    if (!document.hidden) await once();
    connected(true);
  } catch (error) {
    if (error instanceof TypeError) connected(false);
  }
  setTimeout(poll, EVERY_MS);
}

async function once() {
  const found = await pictures(`/live/wall?after=${number}`);
  if (found === null) return;
  const { head, jpeg } = found;
  clock.set(head.now_s);
  number = head.number;
  if (config !== null && config !== head.config) followConfiguration();
  config = head.config;
  await Promise.all(head.cameras.map((seen, number) => show(seen, jpeg(number))));
  ages();
}

/** Zones are drawn as they are now. Other cameras need another page: it is loaded anew when nothing is open in it. */
async function followConfiguration() {
  const cameras = await api("/api/v1/cameras", { background: true }).catch(() => null);
  if (cameras === null) {
    config = ""; // asked again with the next picture
    return;
  }
  for (const one of cameras) {
    const mine = tiles.get(one.camera);
    if (mine) mine.camera.zones = one.zones;
  }
  const same = cameras.length === tiles.size && cameras.every((one) => tiles.get(one.camera)?.camera.name === one.name);
  if (!same && !leaving) {
    leaving = true;
    const idle = setInterval(() => {
      if (document.querySelector("dialog[open], #detail:not([hidden])")) return;
      clearInterval(idle);
      location.reload();
    }, EVERY_MS);
  }
}

async function show(seen, jpeg) {
  const one = tiles.get(seen.camera);
  if (!one) return;
  const picture = await createImageBitmap(jpeg);
  one.seen = seen;
  const { canvas } = one;
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
    one.tile.style.setProperty("--shape", `${picture.width} / ${picture.height}`);
    if (picture.width / picture.height < shape - 0.01 || shape === UNKNOWN) {
      // The tallest decides how many fit.
      shape = picture.width / picture.height;
      fit();
    }
  }
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  picture.close();
  draw(context, one.camera, seen);
  one.rules.replaceChildren(...chips(seen));
  if (followed.camera === seen.camera && followed.canvas) copy(canvas);
}

/** Zones, boxes and running clocks over a picture that is already on the canvas. */
export function draw(context, camera, seen) {
  const { width, height } = context.canvas;
  context.lineWidth = Math.max(1, width / 480);
  context.font = `600 ${Math.round(width / 34)}px ${getComputedStyle(document.body).fontFamily}`;
  const busy = new Set(seen.rules.filter((rule) => rule.incident).map((rule) => rule.zone));
  for (const [name, polygon] of Object.entries(camera.zones)) {
    context.strokeStyle = busy.has(name) ? COLOURS.bad : COLOURS.zone;
    context.setLineDash([6, 5]);
    context.beginPath();
    for (const [x, y] of polygon) context.lineTo(x * width, y * height);
    context.closePath();
    context.stroke();
  }
  context.setLineDash([]);
  context.lineWidth = Math.max(1.5, width / 360);
  for (const { box, kind } of seen.boxes) {
    context.strokeStyle = kind === "person" ? COLOURS.person : COLOURS.other;
    rectangle(context, box);
  }
  for (const rule of seen.rules) {
    if (rule.box === null) continue;
    context.strokeStyle = rule.incident ? COLOURS.bad : COLOURS.watch;
    context.lineWidth = Math.max(2, width / 240);
    rectangle(context, rule.box);
    label(context, ruleText(rule), rule.box[0] * width, rule.box[1] * height, context.strokeStyle);
  }
}

function rectangle(context, [x1, y1, x2, y2]) {
  const { width, height } = context.canvas;
  context.strokeRect(x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height);
}

function label(context, text, x, y, colour) {
  const size = parseInt(context.font.match(/(\d+)px/)[1], 10);
  const wide = context.measureText(text).width + 8;
  const left = Math.max(0, Math.min(x, context.canvas.width - wide));
  const top = Math.max(0, y - size * 1.35);
  context.fillStyle = "#0d1216cc";
  context.fillRect(left, top, wide, size * 1.3);
  context.fillStyle = colour;
  context.fillText(text, left + 4, top + size);
}

function ruleText(rule) {
  const { standing, standing_limit: limit, people, people_limit: most, density, density_limit: densest, score } = rule.evidence;
  if (standing) return `${span(standing.value)} / ${span(limit.value)}`;
  if (people && most) return t("now.people_of", { people: people.value, most: most.value });
  if (density && densest) return `${density.value} / ${densest.value} /m²`;
  if (score) return t("now.score", { score: score.value });
  return "";
}

function chips(seen) {
  const shown = seen.rules.filter((rule) => rule.state !== "off" && ruleText(rule));
  const made = shown.map((rule) => element("span", { class: "rule", "data-state": rule.state }, ` ${ruleText(rule)}`));
  if (seen.view !== "usable") made.unshift(element("span", { class: "rule", "data-state": "unknown" }, t(`view.${seen.view}`)));
  return made;
}

function ages() {
  for (const { seen, age, stale, tile } of tiles.values()) {
    if (seen === null) {
      age.textContent = "";
      tile.dataset.stale = "";
      continue;
    }
    const old = Math.max(0, clock.now() - seen.time_s);
    age.textContent = old < 60 ? `${old.toFixed(1)} s` : span(old);
    if (old > STALE_S) tile.dataset.stale = "";
    else delete tile.dataset.stale;
    stale.textContent = old > STALE_S ? t("now.stale", { age: span(old) }) : "";
    if (followed.age && followed.camera === seen.camera) followed.age.textContent = `${t("now.analysed")} ${age.textContent}`;
  }
}
