// A day of one camera as a line: recorded, gaps by cause, holds, incidents. Wheel zooms, dragging moves, a click plays.

import { t } from "./page.js";
import { hour } from "./times.js";

const COLOURS = { recorded: "#3f6f52", gap: "#8c3f3c", held: "#7fb2d9", 1: "#f0706a", 2: "#e0b45c", 3: "#7fb2d9", 4: "#93a0ad", hand: "#dfe5ea", range: "#7fb2d955" };
const STEPS_S = [10, 30, 60, 300, 600, 1800, 3600, 7200, 14400];
const SHORTEST_S = 120;

export class Timeline {
  /** `chosen(at_s)` when somebody clicks; `under(text)` says what is under the pointer. */
  constructor(canvas, chosen, under) {
    this.canvas = canvas;
    this.chosen = chosen;
    this.under = under;
    this.day = null;
    this.found = null;
    this.hand = null;
    this.range = [null, null];
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  show(found, from_s, to_s) {
    this.day = [from_s, to_s];
    this.view ??= [from_s, to_s];
    if (this.view[0] < from_s || this.view[1] > to_s) this.view = [from_s, to_s];
    this.found = found;
    this.draw();
  }

  /** Another day or camera: nothing is known of it yet. */
  reset() {
    this.view = null;
    this.found = null;
    this.canvas.width = this.canvas.clientWidth;
  }

  at(x) {
    const [from, to] = this.view;
    return from + (x / this.canvas.clientWidth) * (to - from);
  }

  x(at_s) {
    const [from, to] = this.view;
    return ((at_s - from) / (to - from)) * this.canvas.clientWidth;
  }

  wheel(event) {
    if (!this.view) return;
    event.preventDefault();
    const [from, to] = this.view;
    const here = this.at(event.offsetX);
    const by = event.deltaY > 0 ? 1.25 : 0.8;
    this.set(here - (here - from) * by, here + (to - here) * by);
  }

  set(from, to) {
    const [first, last] = this.day;
    const wide = Math.min(last - first, Math.max(SHORTEST_S, to - from));
    const start = Math.min(Math.max(first, from), last - wide);
    this.view = [start, start + wide];
    this.draw();
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { x: event.offsetX, view: this.view, moved: false };
  }

  move(event) {
    if (!this.view) return;
    if (this.drag) {
      const by = event.offsetX - this.drag.x;
      this.drag.moved ||= Math.abs(by) > 4;
      const [from, to] = this.drag.view;
      const shift = (-by / this.canvas.clientWidth) * (to - from);
      if (this.drag.moved) this.set(from + shift, to + shift);
    }
    this.under(this.words(this.at(event.offsetX)));
  }

  up(event) {
    if (this.drag && !this.drag.moved && this.view) this.chosen(this.at(event.offsetX));
    this.drag = null;
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !this.view) return;
    event.preventDefault();
    event.stopPropagation();
    this.chosen((this.hand ?? this.view[0]) + by * (event.shiftKey ? 60 : 10));
  }

  words(at_s) {
    const found = this.found;
    const inside = (one) => one.from_s <= at_s && at_s < one.to_s;
    const incident = found.incidents.find((one) => Math.abs(this.x(one.opened_s) - this.x(at_s)) < 5);
    const gap = found.gaps.find(inside);
    const held = found.holds.find(inside);
    return [
      hour(at_s),
      gap ? `${t("footage.gap")}: ${t(`cause.${gap.cause}`)}${gap.detail ? ` (${gap.detail})` : ""}` : found.recorded.some(inside) ? t("footage.recorded") : "",
      incident ? `${t(`kind.${incident.kind}`)} ${hour(incident.opened_s)}` : "",
      held ? `${t("footage.held")}: ${held.reason}` : "",
    ].filter(Boolean).join(" · ");
  }

  draw() {
    if (!this.view || !this.found) return;
    const ratio = devicePixelRatio;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const [top, tall] = [26, height - 46];
    const bar = (from, to, colour, y = top, h = tall) => {
      const [left, right] = [Math.max(0, this.x(from)), Math.min(width, this.x(to))];
      if (right < 0 || left > width) return;
      context.fillStyle = colour;
      context.fillRect(left, y, Math.max(1, right - left), h);
    };
    for (const one of this.found.recorded) bar(one.from_s, one.to_s, COLOURS.recorded);
    for (const one of this.found.gaps) bar(one.from_s, one.to_s, COLOURS.gap);
    for (const one of this.found.holds) bar(one.from_s, one.to_s, COLOURS.held, top + tall + 3, 4);
    if (this.range[0] !== null && this.range[1] !== null) bar(...this.range, COLOURS.range, top - 4, tall + 8);
    for (const one of this.found.incidents) bar(one.opened_s, one.opened_s, COLOURS[one.severity], top - 8, tall + 8);
    this.ticks(context, width, height);
    if (this.hand !== null) {
      context.fillStyle = COLOURS.hand;
      context.fillRect(this.x(this.hand) - 1, 4, 2, height - 8);
    }
  }

  ticks(context, width, height) {
    const [from, to] = this.view;
    const step = STEPS_S.find((one) => (one / (to - from)) * width > 80) ?? 21600;
    context.fillStyle = "#93a0ad";
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const first = this.day[0] + Math.ceil((from - this.day[0]) / step) * step;
    for (let at = first; at <= to; at += step) {
      const x = this.x(at);
      context.fillRect(x, height - 18, 1, 4);
      context.fillText(step < 60 ? hour(at) : hour(at).slice(0, 5), x + 3, height - 6);
    }
  }
}
