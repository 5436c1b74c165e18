// What is drawn and set of one camera, with undo. Places are 0..1 of the picture; `was` says which one of the file it was.

/** Smaller moves than this are none. */
const DIGITS = 4;
/** Changes of the same thing within this time are one step of undo. */
const TOGETHER_MS = 900;

export const SHAPES = ["zones", "masks"];

export class Drawing extends EventTarget {
  constructor() {
    super();
    this.parts = { zones: [], masks: [], ground: [], rules: [] };
    this.first = "";
    this.past = [];
    this.future = [];
    this.last = { what: null, at: 0 };
  }

  /** As the API gives it. */
  load(found) {
    this.parts = {
      zones: found.zones.map((one) => ({ name: one.name, was: one.name, polygon: one.polygon.map((at) => [...at]) })),
      masks: found.masks.map((polygon, was) => ({ was, polygon: polygon.map((at) => [...at]) })),
      ground: found.ground.map((one, was) => ({ was, picture: [...one.picture], metres: [...one.metres] })),
      rules: found.rules.map((one, was) => ({ was, kind: one.kind, fields: { ...one.fields } })),
    };
    this.first = JSON.stringify(this.parts);
    this.past = [];
    this.future = [];
    this.tell("loaded");
  }

  get dirty() {
    return JSON.stringify(this.parts) !== this.first;
  }

  tell(what) {
    this.dispatchEvent(new CustomEvent("change", { detail: what }));
  }

  /** `change(parts)` changes them; `what` names it: the same name again at once is the same step of undo. */
  do(what, change) {
    const before = JSON.stringify(this.parts);
    change(this.parts);
    if (JSON.stringify(this.parts) === before) return;
    const now = performance.now();
    if (this.last.what !== what || now - this.last.at > TOGETHER_MS) this.past.push(before);
    this.last = { what, at: now };
    this.future = [];
    this.tell(what);
  }

  undo() {
    this.step(this.past, this.future);
  }

  redo() {
    this.step(this.future, this.past);
  }

  step(from, to) {
    if (!from.length) return;
    to.push(JSON.stringify(this.parts));
    this.parts = JSON.parse(from.pop());
    this.last = { what: null, at: 0 };
    this.tell("step");
  }

  /** The corners of a shape, or the one place of a ground point. */
  corners(ref) {
    const one = this.parts[ref.what]?.[ref.which];
    return one === undefined ? [] : ref.what === "ground" ? [one.picture] : one.polygon;
  }

  move(ref, [x, y]) {
    this.do(`move ${ref.what} ${ref.which} ${ref.point}`, () => {
      const at = this.corners(ref)[ref.what === "ground" ? 0 : ref.point];
      if (at) [at[0], at[1]] = [share(x), share(y)];
    });
  }

  /** A corner between `point` and the next one; returns its number. */
  insert(ref, place = null) {
    const corners = this.corners(ref);
    const [a, b] = [corners[ref.point], corners[(ref.point + 1) % corners.length]];
    const at = place ?? [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    this.do(`insert ${performance.now()}`, () => corners.splice(ref.point + 1, 0, at.map(share)));
    return ref.point + 1;
  }

  /** A corner of a shape that has more than three, else the whole of what it belongs to. Returns whether anything is left. */
  remove(ref) {
    const corners = this.corners(ref);
    if (SHAPES.includes(ref.what) && ref.point !== null && corners.length > 3) {
      this.do(`remove ${performance.now()}`, () => corners.splice(ref.point, 1));
      return true;
    }
    this.do(`remove ${performance.now()}`, (parts) => parts[ref.what].splice(ref.which, 1));
    return false;
  }

  /** A new zone or mask; returns its number. */
  add(what, polygon) {
    const corners = polygon.map((at) => at.map(share));
    this.do(`add ${performance.now()}`, (parts) => {
      if (what === "zones") parts.zones.push({ name: this.free("zone"), was: null, polygon: corners });
      else parts.masks.push({ was: null, polygon: corners });
    });
    return this.parts[what].length - 1;
  }

  addGround(picture) {
    this.do(`add ${performance.now()}`, (parts) => parts.ground.push({ was: null, picture: picture.map(share), metres: [0, 0] }));
    return this.parts.ground.length - 1;
  }

  addRule(kind, zone) {
    this.do(`add ${performance.now()}`, (parts) => parts.rules.push({ was: null, kind, fields: { zone } }));
  }

  setField(number, key, text) {
    this.do(`field ${number} ${key}`, (parts) => (parts.rules[number].fields[key] = text || null));
  }

  setMetres(number, axis, metres) {
    this.do(`metres ${number} ${axis}`, (parts) => (parts.ground[number].metres[axis] = metres));
  }

  /** Rules that speak of the zone speak of its new name. */
  rename(number, name) {
    const before = this.parts.zones[number].name;
    this.do(`rename ${number}`, (parts) => {
      parts.zones[number].name = name;
      for (const rule of parts.rules) if (rule.fields.zone === before) rule.fields.zone = name;
    });
  }

  free(stem) {
    const taken = new Set(this.parts.zones.map((one) => one.name));
    let number = 1;
    while (taken.has(`${stem}-${number}`)) number += 1;
    return `${stem}-${number}`;
  }

  /** For the API. */
  body(base) {
    return { base, ...this.parts };
  }
}

export function share(value) {
  return Number(Math.min(1, Math.max(0, value)).toFixed(DIGITS));
}
