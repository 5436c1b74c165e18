// A short sound for a new alert. Browsers let a page sound only after a person touched it, and a muted page says so.

import { t } from "./page.js";

const PATTERNS = { 1: [880, 660, 880, 660], 2: [740, 740], 3: [620], 4: [520] };
const KEY = "gatewatch-muted";

let context = null;
let muted = localStorage.getItem(KEY) === "yes";
const button = () => document.getElementById("sound");

export function arm() {
  try {
    context ??= new AudioContext();
  } catch {
    return show(); // a machine that cannot sound: everything else goes on
  }
  context.onstatechange = show; // the system may take the device away
  if (context.state === "suspended") context.resume().then(show, () => {});
  show();
}

export function toggle() {
  muted = !muted;
  localStorage.setItem(KEY, muted ? "yes" : "no");
  arm();
}

export function show() {
  const ready = context !== null && context.state === "running";
  button().textContent = muted ? t("now.sound_off") : ready ? t("now.sound_on") : t("now.sound_waits");
  button().setAttribute("aria-pressed", String(!muted && ready));
  button().classList.toggle("warn", muted || !ready);
}

/** The gravest of what is new decides what is heard. */
export function ring(level) {
  if (muted || context === null || context.state !== "running") return;
  (PATTERNS[level] ?? PATTERNS[4]).forEach((pitch, number) => {
    const start = context.currentTime + number * 0.22;
    const tone = new OscillatorNode(context, { frequency: pitch, type: "triangle" });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(0.25, start + 0.02);
    gain.gain.linearRampToValueAtTime(0, start + 0.19);
    tone.connect(gain).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.2);
  });
}
