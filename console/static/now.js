// The control room: puts wall, queue, one incident and one camera together, and gives each key its meaning.

import { answer, VERDICTS } from "./answers.js";
import { api, connected, data, element, t } from "./page.js";
import { IncidentView } from "./incident.js";
import { Queue } from "./queue.js";
import { CameraView } from "./camera.js";
import { askRaise, askSnooze } from "./forms.js";
import { listen as listenToKeys } from "./keys.js";
import * as sound from "./sound.js";
import { clock } from "./times.js";
import * as wall from "./wall.js";

const AGAIN_MS = 10_000;
const TITLE = document.title;

const said = document.getElementById("said");
const root = document.getElementById("detail");
const queue = new Queue(open, changed);
const incident = new IncidentView(root, act, back);
const camera = new CameraView(root, back);

function say(text, bad = false) {
  said.textContent = text;
  said.classList.toggle("fault", bad);
}

async function load() {
  try {
    const found = await api("/live/queue", { background: true });
    clock.set(found.now_s);
    queue.update(found.rows);
    connected(true);
  } catch (error) {
    if (error instanceof TypeError) connected(false);
  }
}

let loading = null;
/** One load at a time; whatever changes meanwhile asks for one more. */
function soon() {
  if (loading) {
    loading.again = true;
    return;
  }
  loading = { again: false };
  setTimeout(async () => {
    await load();
    incident.refresh().catch(() => {});
    const { again } = loading;
    loading = null;
    if (again) soon();
  }, 50);
}

/** What changes is pushed; after a lost connection everything is asked for again, so nothing is missed. */
function listen() {
  const source = new EventSource("/api/v1/events");
  source.addEventListener("open", soon);
  for (const kind of ["message", "incident", "alert", "thread", "change"]) source.addEventListener(kind, soon);
  source.addEventListener("error", () => {
    connected(false);
    // A browser comes back by itself after a broken line, and never after a refusal: a proxy that has no console behind it.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
  });
}

function changed(rows, fresh, waiting) {
  document.title = waiting ? `(${waiting}) ${TITLE}` : TITLE;
  wall.mark(queue.levels());
  const news = fresh.map((id) => queue.row(id)).filter((row) => row && row.state !== "closed");
  if (news.length) {
    sound.ring(Math.min(...news.map((row) => row.severity)));
    say(t("now.new", { what: t(`kind.${news[0].kind}`), where: news[0].camera_name }));
  }
}

function open(id) {
  const row = queue.row(id);
  if (!row) return;
  if (camera.shown) camera.leave();
  queue.select(id);
  incident.open(row).catch((error) => say(error.message, true));
}

function back() {
  incident.leave();
  camera.leave();
  queue.select(null);
}

async function act(name, found) {
  if (name === "next") return open(queue.nextWaiting(found.incident_id) ?? queue.beside(1));
  if (name === "snooze") return askSnooze(found, say);
  if (await answer(name, found, say)) soon();
}

const KEYS = {
  ArrowDown: () => open(queue.beside(1)),
  ArrowUp: () => open(queue.beside(-1)),
  j: () => open(queue.beside(1)),
  k: () => open(queue.beside(-1)),
  Enter: () => open(queue.current ?? queue.beside(0)),
  n: () => open(queue.nextWaiting(queue.current) ?? queue.beside(1)),
  Escape: back,
  a: () => byKey("acknowledge"),
  o: () => byKey("on_site"),
  z: () => byKey("snooze"),
  r: () => data.may.answer && askRaise(camera.shown, say),
  m: sound.toggle,
  "?": () => document.getElementById("keys").showModal(),
};
VERDICTS.forEach((verdict, number) => (KEYS[String(number + 1)] = () => byKey(verdict)));

function byKey(name) {
  const row = queue.row(queue.current);
  const allowed = VERDICTS.includes(name) ? data.may.judge : data.may.answer;
  if (row && allowed) act(name, row);
}

listenToKeys(KEYS);
for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, sound.arm, true); // also of what a tile or card takes for itself
document.getElementById("sound").addEventListener("click", sound.toggle);
document.getElementById("help").addEventListener("click", KEYS["?"]);
const raise = document.getElementById("raise");
raise.hidden = !data.may.answer;
raise.addEventListener("click", () => askRaise(camera.shown, say));

sound.show();
wall.build((chosen) => {
  incident.leave();
  queue.select(null);
  camera.open(chosen);
});
if (!data.cameras.length) document.getElementById("tiles").append(element("p", { class: "dim" }, t("now.no_cameras")));
load().then(listen);
setInterval(soon, AGAIN_MS); // also where a proxy holds the stream back
