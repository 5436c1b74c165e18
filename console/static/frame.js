// On every page: says that a person is here (so that only a forgotten screen is logged out), and leads to the log-in after.

import { api } from "./page.js";

const EVERY_MS = 60_000;
let toldAt = Date.now();

async function alive() {
  if (!document.body.dataset.csrf || Date.now() - toldAt < EVERY_MS) return;
  toldAt = Date.now();
  try {
    await api("/alive");
  } catch {
    // Lost connections are shown by what a page asks for; being logged out is told by the event below.
  }
}

for (const kind of ["pointerdown", "keydown", "wheel"]) addEventListener(kind, alive, { passive: true });

document.addEventListener("gatewatch:logged-out", () => {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
});
