// The newest analysed picture of one camera, with its age; a clear text where none comes.

import { connected, pictures, t } from "./page.js";
import { clock, span } from "./times.js";

const EVERY_MS = 1000;
const STALE_S = 5;

export class LivePicture {
  /** `image`, `none` (a text) and `age` are elements; `shape(ratio)` is told width over height. */
  constructor(parts) {
    Object.assign(this, parts, { camera: null, number: 0, time_s: null, url: null });
    this.run();
    setInterval(() => this.tell(), 500);
  }

  of(camera) {
    Object.assign(this, { camera, number: 0, time_s: null });
    this.image.hidden = true;
    this.tell();
  }

  async run() {
    for (;;) {
      try {
        if (this.camera && !document.hidden) await this.once(this.camera);
      } catch (error) {
        if (error instanceof TypeError) connected(false);
      }
      await new Promise((done) => setTimeout(done, EVERY_MS));
    }
  }

  async once(camera) {
    const found = await pictures(`/live/${encodeURIComponent(camera)}/picture?after=${this.number}`);
    if (found === null) return;
    connected(true);
    const { head, jpeg } = found;
    clock.set(head.now_s);
    if (camera !== this.camera) return;
    this.number = head.number;
    const [seen] = head.cameras;
    if (!seen) return;
    const url = URL.createObjectURL(jpeg(0));
    const next = new Image();
    next.src = url;
    await next.decode();
    // Another camera was chosen meanwhile: its picture is not this one.
    if (camera !== this.camera) return URL.revokeObjectURL(url);
    this.image.src = url;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = url;
    this.time_s = seen.time_s;
    this.image.hidden = false;
    this.shape(next.naturalWidth / next.naturalHeight);
    this.tell();
  }

  tell() {
    const there = this.time_s !== null;
    this.none.hidden = there;
    this.age.hidden = !there;
    if (!there) return;
    const old = Math.max(0, clock.now() - this.time_s);
    const stale = old > STALE_S;
    this.age.textContent = t(stale ? "cameras.old" : "cameras.age", { age: old < 60 ? `${old.toFixed(1)} s` : span(old) });
    this.age.toggleAttribute("data-stale", stale);
    this.image.toggleAttribute("data-stale", stale);
  }
}
