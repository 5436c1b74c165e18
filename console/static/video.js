// Live video: the camera's own H.264 as fragmented MP4 over one long answer, into a MediaSource. It heals by itself.

import { t } from "./page.js";

const KEPT_S = 20;
const BEHIND_S = 3;
const AGAIN_MS = 2000;

export class LiveVideo {
  /** Plays `camera` in `video` until `close`; `say(text)` tells what is wrong, or "" when it plays. */
  constructor(video, camera, say) {
    this.video = video;
    this.camera = camera;
    this.say = say;
    this.gone = new AbortController();
    this.run();
  }

  close() {
    this.gone.abort();
    this.video.removeAttribute("src");
    this.video.load();
  }

  async run() {
    while (!this.gone.signal.aborted) {
      try {
        await this.once();
        this.say(t("now.video_lost"));
      } catch (error) {
        if (this.gone.signal.aborted) return;
        this.say(error.final ? error.message : t("now.video_lost"));
        if (error.final) return;
      }
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }

  async once() {
    const answer = await fetch(`/live/${encodeURIComponent(this.camera)}/video`, { signal: this.gone.signal });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      throw Object.assign(new Error(problem.detail ?? String(answer.status)), { final: answer.status < 500 });
    }
    const kind = answer.headers.get("Content-Type");
    if (!MediaSource.isTypeSupported(kind)) throw Object.assign(new Error(t("now.video_codec", { kind })), { final: true });
    const source = new MediaSource();
    const url = URL.createObjectURL(source);
    this.video.src = url;
    await event(source, "sourceopen");
    URL.revokeObjectURL(url);
    const buffer = source.addSourceBuffer(kind);
    const reader = answer.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        buffer.appendBuffer(value);
        await event(buffer, "updateend");
        await this.follow(buffer);
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** Stay at the live edge, and let go of what was seen. */
  async follow(buffer) {
    const { buffered } = buffer;
    if (!buffered.length) return;
    const start = buffered.start(0);
    const end = buffered.end(buffered.length - 1);
    if (this.video.currentTime < start || end - this.video.currentTime > BEHIND_S) this.video.currentTime = Math.max(start, end - 0.4);
    if (this.video.paused) this.video.play().then(() => this.say(""), () => {});
    else this.say("");
    if (end - start > KEPT_S * 2) {
      buffer.remove(start, end - KEPT_S);
      await event(buffer, "updateend");
    }
  }
}

function event(target, name) {
  return new Promise((done) => target.addEventListener(name, done, { once: true }));
}
