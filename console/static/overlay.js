// The drawing over the picture, as SVG: corners are dragged or moved by arrow keys, shapes are drawn corner by corner.

import { t } from "./page.js";

const NS = "http://www.w3.org/2000/svg";
/** Units of the view box per picture width: corners stay round on a picture of any shape. */
const WIDE = 1000;
const STEP = 0.002;
const GRID_LINES = 24;

export class Overlay {
  /** `select(ref)` is called when something is chosen here, `hint(text)` with what the person can do now. */
  constructor(svg, drawing, select, hint) {
    Object.assign(this, { svg, drawing, select, hint });
    this.height = (WIDE * 9) / 16;
    this.selected = null;
    this.mode = null;
    this.draft = [];
    this.faults = [];
    this.ground = null;
    this.dragged = null;
    svg.addEventListener("pointerdown", (event) => this.down(event));
    // Focus goes where we send it: the browser's own would go to nothing when what was clicked is drawn anew.
    svg.addEventListener("mousedown", (event) => event.preventDefault());
    svg.addEventListener("pointermove", (event) => this.moved(event));
    svg.addEventListener("pointerup", () => (this.dragged = null));
    svg.addEventListener("pointercancel", () => (this.dragged = null));
    svg.addEventListener("dblclick", (event) => this.double(event));
    svg.addEventListener("keydown", (event) => this.key(event));
    svg.addEventListener("focusin", (event) => this.focused(event));
    this.shape(16 / 9);
  }

  /** The picture's width over its height. */
  shape(ratio) {
    this.height = WIDE / ratio;
    this.svg.setAttribute("viewBox", `0 0 ${WIDE} ${this.height}`);
    this.draw();
  }

  /** Begin to draw zones, masks or ground points; null ends it. */
  draws(mode) {
    this.mode = mode;
    this.draft = [];
    this.svg.classList.toggle("draws", mode !== null);
    this.draw();
    this.explain();
  }

  explain() {
    const text = this.mode === "ground" ? "cameras.hint.ground" : this.mode ? "cameras.hint.draw" : this.selected?.point != null ? "cameras.hint.corner" : "cameras.hint.idle";
    this.hint(t(text));
  }

  choose(ref, { focus = false } = {}) {
    this.selected = ref;
    this.draw();
    if (focus) this.svg.querySelector(`[data-ref="${named(ref)}"]`)?.focus();
    this.explain();
  }

  /** From an event to 0..1 of the picture. */
  place(event) {
    const box = this.svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  down(event) {
    if (event.button !== 0) return;
    const after = refOf(event.target, "after");
    const ref = refOf(event.target);
    if (this.mode === "ground") {
      const which = this.drawing.addGround(this.place(event));
      this.finish({ what: "ground", which, point: 0 });
      return;
    }
    if (this.mode) {
      if (event.detail > 1) return;
      if (this.draft.length >= 3 && event.target.dataset.close !== undefined) this.close();
      else this.draft.push(this.place(event));
      this.draw();
      event.preventDefault();
      return;
    }
    if (after) {
      const point = this.drawing.insert(after, this.place(event));
      this.dragged = { ...after, point };
      this.select(this.dragged, { focus: true });
    } else if (ref) {
      this.dragged = ref.point === null ? null : ref;
      this.select(ref, { focus: true });
    } else this.select(null);
    if (this.dragged) this.svg.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  moved(event) {
    if (this.dragged) this.drawing.move(this.dragged, this.place(event));
    else if (this.mode && this.draft.length) {
      this.pointer = this.place(event);
      this.draw();
    }
  }

  double(event) {
    if (!this.mode || this.draft.length < 3) return;
    this.close();
    event.preventDefault();
  }

  close() {
    const which = this.drawing.add(this.mode, this.draft);
    this.finish({ what: this.mode, which, point: 0 });
  }

  finish(ref) {
    this.done?.();
    this.draws(null);
    this.select(ref, { focus: true });
  }

  key(event) {
    const ref = refOf(event.target);
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (by && ref) {
      const step = STEP * (event.shiftKey ? 10 : event.altKey ? 0.25 : 1);
      const corners = this.drawing.corners(ref);
      const points = ref.point === null ? corners.map((_, number) => number) : [ref.point];
      for (const point of points) {
        const [x, y] = corners[ref.what === "ground" ? 0 : point];
        this.drawing.move({ ...ref, point }, [x + by[0] * step, y + (by[1] * step * WIDE) / this.height]);
      }
    } else if (ref && (event.key === "Insert" || event.key === "+") && ref.point !== null && ref.what !== "ground") {
      this.select({ ...ref, point: this.drawing.insert(ref) }, { focus: true });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  focused(event) {
    const ref = refOf(event.target);
    if (ref && named(ref) !== named(this.selected)) this.select(ref);
  }

  // Drawing: elements are kept by their name, so that focus and pointer capture survive.

  draw() {
    const wanted = new Map();
    const put = (name, tag, attributes) => wanted.set(name, { tag, attributes });
    this.drawGrid(put);
    for (const what of ["masks", "zones"]) this.drawing.parts[what].forEach((one, which) => this.drawShape(put, what, which, one));
    this.drawing.parts.ground.forEach((one, which) => this.drawGround(put, which, one));
    this.drawDraft(put);
    this.apply(wanted);
  }

  drawShape(put, what, which, one) {
    const chosen = this.selected?.what === what && this.selected.which === which;
    const fault = this.faults.find((other) => other.where.what === what && other.where.which === (what === "zones" ? one.name : which));
    const marked = new Set(fault ? [fault.where.point, ...corners(fault.text)] : []);
    const name = what === "zones" ? one.name : t("cameras.mask", { number: which + 1 });
    const ref = { what, which, point: null };
    put(named(ref), "polygon", { class: mark(what === "zones" ? "zone" : "mask", chosen, fault), points: one.polygon.map((at) => this.at(at).join(",")).join(" "), "data-ref": named(ref), tabindex: "0", role: "button", "aria-label": name });
    const [x, y] = this.at(one.polygon[0]);
    put(`name ${named(ref)}`, "text", { class: "name", ...beside(x, 8), y: Math.max(16, y - 8), text: name });
    if (chosen) {
      one.polygon.forEach((from, point) => {
        const to = one.polygon[(point + 1) % one.polygon.length];
        const [cx, cy] = this.at([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]);
        put(`between ${named({ ...ref, point })}`, "circle", { class: "between", cx, cy, r: 5, "data-after": named({ ...ref, point }) });
      });
    }
    one.polygon.forEach((at, point) => {
      const [cx, cy] = this.at(at);
      const here = chosen && this.selected.point === point;
      const label = t("cameras.corner", { name, number: point + 1, x: at[0].toFixed(3), y: at[1].toFixed(3) });
      put(named({ ...ref, point }), "circle", { class: mark("corner", here, marked.has(point)), cx, cy, r: chosen ? 7 : 4, "data-ref": named({ ...ref, point }), tabindex: "0", role: "button", "aria-label": label });
    });
  }

  drawGround(put, which, one) {
    const ref = { what: "ground", which, point: 0 };
    const [cx, cy] = this.at(one.picture);
    const chosen = named(this.selected) === named(ref);
    const fault = this.faults.some((other) => other.where.what === "ground" && (other.where.which === which || other.where.which === null));
    const label = t("cameras.ground_point", { number: which + 1, x: one.metres[0], y: one.metres[1] });
    put(named(ref), "circle", { class: mark("ground", chosen, fault), cx, cy, r: 7, "data-ref": named(ref), tabindex: "0", role: "button", "aria-label": label });
    put(`name ${named(ref)}`, "text", { class: "name ground", ...beside(cx, 10), y: cy + 4, text: `${which + 1} (${one.metres[0]}, ${one.metres[1]}) m` });
  }

  drawDraft(put) {
    if (!this.draft.length) return;
    const points = [...this.draft, ...(this.pointer ? [this.pointer] : [])].map((at) => this.at(at).join(",")).join(" ");
    put("draft", "polyline", { class: "draft", points });
    this.draft.forEach((at, number) => {
      const [cx, cy] = this.at(at);
      put(`draft ${number}`, "circle", { class: "corner chosen", cx, cy, r: number ? 4 : 9, ...(number ? {} : { "data-close": "" }) });
    });
  }

  /** Lines on the ground at whole metres, as the ground points say: what is crooked is seen at once. */
  drawGrid(put) {
    if (!this.ground || !this.drawing.parts.ground.length) return;
    const back = inverse(this.ground.matrix);
    const all = this.drawing.parts.ground.map((one) => one.metres);
    const [low, high] = [0, 1].reduce(([low, high], axis) => [[...low, Math.min(...all.map((one) => one[axis]))], [...high, Math.max(...all.map((one) => one[axis]))]], [[], []]);
    const step = [1, 2, 5, 10, 20, 50, 100].find((one) => (high[0] - low[0] + high[1] - low[1]) / one <= GRID_LINES) ?? 200;
    for (const axis of [0, 1]) {
      const other = 1 - axis;
      for (let at = Math.ceil(low[axis] / step) * step; at <= high[axis] + 1e-9; at += step) {
        const ends = [low[other], high[other]].map((value) => project(back, axis ? [value, at] : [at, value]));
        if (ends.some((end) => end === null)) continue;
        const [[x1, y1], [x2, y2]] = ends.map((end) => this.at(end));
        put(`grid ${axis} ${at}`, "line", { class: "grid", x1, y1, x2, y2 });
      }
    }
  }

  at([x, y]) {
    return [Math.round(x * WIDE * 100) / 100, Math.round(y * this.height * 100) / 100];
  }

  apply(wanted) {
    const have = new Map([...this.svg.children].map((one) => [one.dataset.name, one]));
    for (const [name, one] of have) if (!wanted.has(name)) one.remove();
    let before = null;
    for (const [name, { tag, attributes }] of wanted) {
      let one = have.get(name);
      if (!one) {
        one = document.createElementNS(NS, tag);
        one.dataset.name = name;
      }
      const { text, ...others } = attributes;
      for (const [key, value] of Object.entries(others)) if (one.getAttribute(key) !== String(value)) one.setAttribute(key, String(value));
      if (text !== undefined && one.textContent !== text) one.textContent = text;
      // Moving an element in the document takes its focus: only where the order is another one.
      const next = before ? before.nextElementSibling : this.svg.firstElementChild;
      if (next !== one) this.svg.insertBefore(one, next);
      before = one;
    }
  }
}

export const named = (ref) => (ref ? `${ref.what}/${ref.which}/${ref.point ?? ""}` : "");

function refOf(target, kind = "ref") {
  const text = target.dataset?.[kind];
  if (!text) return null;
  const [what, which, point] = text.split("/");
  return { what, which: Number(which), point: point === "" ? null : Number(point) };
}

/** Text beside a place: to its left where it would run out of the picture. */
const beside = (x, gap) => (x > WIDE * 0.75 ? { x: x - gap, "text-anchor": "end" } : { x: x + gap, "text-anchor": "start" });

const mark = (kind, chosen, fault) => `${kind}${chosen ? " chosen" : ""}${fault ? " faulty" : ""}`;

/** The corners that a fault's words name: edge [0]-[1] crosses edge [2]-[3]. */
function corners(text) {
  return [...text.replace(/^\S+?:\d+: \S+: /, "").matchAll(/\[(\d+)\]/g)].map((one) => Number(one[1]));
}

function project(m, [x, y]) {
  const w = m[2][0] * x + m[2][1] * y + m[2][2];
  if (Math.abs(w) < 1e-9) return null;
  const found = [(m[0][0] * x + m[0][1] * y + m[0][2]) / w, (m[1][0] * x + m[1][1] * y + m[1][2]) / w];
  return found.every((one) => one > -2 && one < 3) ? found : null;
}

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const [A, B, C] = [e * i - f * h, c * h - b * i, b * f - c * e];
  const det = a * A + d * B + g * C;
  return [[A, B, C], [f * g - d * i, a * i - c * g, c * d - a * f], [d * h - e * g, b * g - a * h, a * e - b * d]].map((row) => row.map((one) => one / det));
}
