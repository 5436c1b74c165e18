// Plays recorded segments one behind the other (each is a whole fragmented MP4), and knows which second of the day is shown.

import { api, t } from "./page.js";

const AHEAD_S = 25;
const KEPT_S = 60;
const LISTED_S = 3600;

export class Player {
  /** `say(text)`: what is wrong, or "" when it plays. */
  constructor(video, say) {
    this.video = video;
    this.say = say;
    this.map = [];
    this.number = 0;
    video.addEventListener("timeupdate", () => this.fill());
    video.addEventListener("waiting", () => this.fill());
    video.addEventListener("seeking", () => this.fill());
  }

  /** From the first recorded picture at or after `at_s` (Unix seconds). Resolves when it can be seen. */
  async open(camera, at_s) {
    const mine = ++this.number;
    this.camera = camera;
    this.map = [];
    this.queue = [];
    this.listedTo = at_s;
    this.buffer = null;
    this.busy = true;
    this.say(t("footage.loading"));
    try {
      await this.start(mine, at_s);
    } catch (error) {
      if (mine === this.number) throw error;
    } finally {
      if (mine === this.number) this.busy = false;
    }
    if (mine === this.number) await this.fill();
  }

  /** Nothing is asked for any more, and no answer that is on its way is used. */
  close() {
    this.number += 1;
    this.buffer = null;
    this.map = [];
  }

  async start(mine, at_s) {
    await this.list(mine, at_s);
    if (mine !== this.number) return;
    if (!this.queue.length) return this.nothing(t("footage.nothing"));
    const first = await this.fetch(this.queue[0]);
    if (mine !== this.number) return;
    const kind = `video/mp4; codecs="${codec(first)}"`;
    if (!MediaSource.isTypeSupported(kind)) return this.nothing(t("footage.codec", { kind }));
    const source = new MediaSource();
    const url = URL.createObjectURL(source);
    this.video.src = url;
    await once(source, "sourceopen");
    URL.revokeObjectURL(url);
    if (mine !== this.number) return;
    this.source = source;
    this.buffer = source.addSourceBuffer(kind);
    // The segments' own times belong to connections of the camera; here they follow each other.
    this.buffer.mode = "sequence";
    await this.append(mine, this.queue.shift(), first);
    if (mine !== this.number) return;
    this.video.currentTime = Math.max(0, this.offsetOf(at_s) ?? 0);
    this.say("");
  }

  /** What played before is of another time: it is not left standing beside the words. */
  nothing(why) {
    this.video.removeAttribute("src");
    this.video.load();
    this.say(why);
  }

  /** Unix seconds of the picture that is shown; null when there is none. */
  get shown_s() {
    const at = this.video.currentTime;
    const part = this.map.findLast((one) => one.from <= at + 0.001) ?? this.map[0];
    return part ? part.start_s + Math.max(0, at - part.from) : null;
  }

  /** Place in the video of a Unix time that is loaded; null otherwise. */
  offsetOf(at_s) {
    const part = this.map.find((one) => at_s < one.end_s);
    return part ? part.from + Math.max(0, at_s - part.start_s) : null;
  }

  async list(mine, from_s) {
    const path = `/api/v1/cameras/${encodeURIComponent(this.camera)}/segments?from_s=${from_s}&to_s=${from_s + LISTED_S}`;
    const listed = await api(path);
    if (mine !== this.number) return; // another camera or time was chosen meanwhile
    const known = this.map.at(-1)?.start_s ?? -1;
    this.queue.push(...listed.filter((one) => one.start_s > known && !this.queue.some((other) => other.start_s === one.start_s)));
    this.listedTo = from_s + LISTED_S;
  }

  async fetch(segment) {
    const answer = await fetch(segment.url);
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.arrayBuffer();
  }

  async append(mine, segment, bytes) {
    const { buffer } = this;
    const from = buffer.buffered.length ? buffer.buffered.end(buffer.buffered.length - 1) : 0;
    buffer.appendBuffer(bytes);
    await once(buffer, "updateend");
    if (mine === this.number) this.map.push({ from, start_s: segment.start_s, end_s: segment.end_s });
  }

  /** Keep some seconds ready, let go of what is long past. */
  async fill() {
    if (this.busy || !this.buffer || this.source.readyState !== "open") return;
    const mine = this.number;
    const { buffer } = this;
    this.busy = true;
    try {
      while (mine === this.number) {
        const { buffered } = buffer;
        const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
        if (end - this.video.currentTime > AHEAD_S * Math.max(1, this.video.playbackRate)) break;
        if (!this.queue.length) {
          const last = this.map.at(-1).end_s;
          if (Date.now() / 1000 < last + 12) break; // the next one is not closed yet
          await this.list(mine, Math.max(last, this.listedTo - LISTED_S));
          if (mine !== this.number || !this.queue.length) break;
        }
        const segment = this.queue.shift();
        const bytes = await this.fetch(segment);
        if (mine !== this.number) return;
        await this.append(mine, segment, bytes);
        if (mine !== this.number) return;
        const past = this.video.currentTime - KEPT_S;
        if (past > 0 && buffered.start(0) < past - KEPT_S) {
          buffer.remove(0, past);
          await once(buffer, "updateend");
        }
      }
    } catch (error) {
      if (mine === this.number) this.say(t("footage.lost"));
      if (!(error instanceof TypeError) && mine === this.number) console.warn(error);
    } finally {
      if (mine === this.number) this.busy = false;
    }
  }
}

function once(target, name) {
  return new Promise((done) => target.addEventListener(name, done, { once: true }));
}

/** The codec from the segment's own description: `avc1.64001f`, or what the sample entry is called. */
function codec(buffer) {
  const bytes = new Uint8Array(buffer, 0, Math.min(4096, buffer.byteLength));
  const text = String.fromCharCode(...bytes);
  const at = text.indexOf("avcC");
  if (at > 0) return `avc1.${[...bytes.slice(at + 5, at + 8)].map((one) => one.toString(16).padStart(2, "0")).join("")}`;
  return text.includes("hvcC") ? "hvc1.1.6.L120.90" : "unknown";
}
