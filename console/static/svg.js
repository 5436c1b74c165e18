// Small pictures of numbers: a heat map, bars, medians with their reach, shares with their interval. Every mark can be a link.

const SPACE = "http://www.w3.org/2000/svg";
const ROW = 24;

/** An SVG element; `undefined` and `null` attributes are left out. */
export function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== null) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

function picture(width, height, label) {
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label });
}

function text(x, y, words, kind = "", anchor = "start") {
  return shape("text", { x, y, class: kind, "text-anchor": anchor, "dominant-baseline": "central" }, words);
}

/** A mark that leads somewhere (`href` null: it does not), with its value as a name and as what the mouse shows. */
function mark(href, title, ...shapes) {
  const inside = [shape("title", {}, title), ...shapes];
  return href === null ? shape("g", { role: "img", "aria-label": title }, ...inside) : shape("a", { href, "aria-label": title, class: "mark" }, ...inside);
}

/** `cells[row][column]` as darker or lighter fields. `names(row, column, count)` and `href(row, column)` for each. */
export function heatMap(width, { label, rows, columns, cells, names, href }) {
  const left = 46;
  const size = (width - left) / columns.length;
  const high = Math.min(ROW, Math.max(16, size));
  const made = picture(width, high * rows.length + 20, label);
  const most = Math.max(1, ...cells.flat());
  columns.forEach((name, column) => column % 3 || made.append(text(left + (column + 0.5) * size, 9, name, "axis", "middle")));
  rows.forEach((name, row) => {
    made.append(text(0, 18 + (row + 0.5) * high, name, "axis"));
    cells[row].forEach((count, column) => {
      const place = { x: left + column * size + 1, y: 18 + row * high + 1, width: Math.max(1, size - 2), height: high - 2, rx: 2 };
      const field = shape("rect", { ...place, class: count ? "heat" : "heat none", "fill-opacity": count ? (0.18 + (0.82 * count) / most).toFixed(3) : 1 });
      made.append(count ? mark(href(row, column), names(row, column, count), field) : field);
    });
  });
  return made;
}

/** Rows of `{ name, value, href, kind }` as horizontal bars, the number behind each. */
export function bars(width, { label, rows }) {
  const left = Math.round(width * 0.38);
  const most = Math.max(1, ...rows.map((row) => row.value));
  const made = picture(width, ROW * rows.length, label);
  rows.forEach((row, at) => {
    const y = at * ROW;
    const long = Math.max(2, ((width - left - 64) * row.value) / most);
    made.append(
      mark(row.href, `${row.name}: ${row.value}`,
        shape("rect", { x: 0, y, width, height: ROW, class: "row" }),
        text(0, y + ROW / 2, short(row.name, left - 10), "name"),
        shape("rect", { x: left, y: y + 5, width: long, height: ROW - 10, rx: 2, class: `long ${row.kind ?? ""}` }),
        text(left + long + 7, y + ROW / 2, row.value.toLocaleString(), "number")),
    );
  });
  return made;
}

/** Many narrow columns over time: `{ name, value, href }`, with a few names below. */
export function columns(width, { label, rows }) {
  const high = 92;
  const made = picture(width, high + 20, label);
  const most = Math.max(1, ...rows.map((row) => row.value));
  const size = width / Math.max(1, rows.length);
  const each = Math.max(1, Math.ceil(rows.length / Math.max(2, Math.floor(width / 90))));
  rows.forEach((row, at) => {
    const tall = row.value ? Math.max(2, (high * row.value) / most) : 0;
    const bar = shape("rect", { x: at * size, y: high - tall, width: Math.max(0.7, size - (size > 4 ? 1.5 : 0)), height: tall, class: "long" });
    if (row.value) made.append(mark(row.href, `${row.name}: ${row.value}`, shape("rect", { x: at * size, y: 0, width: size, height: high, class: "row" }), bar));
    if (at % each === 0 && at * size < width - 60) made.append(text(at * size, high + 11, row.short, "axis"));
  });
  made.append(shape("line", { x1: 0, x2: width, y1: high, y2: high, class: "ruler" }), text(width, 7, most.toLocaleString(), "axis", "end"));
  return made;
}

/**
 * Rows of `{ name, from, at, to, text, title, href }` on one scale: a line from `from` to `to`, a dot at `at`.
 * `scale(value)` is 0..1, `ticks` are `[value, name]`.
 */
export function reaches(width, { label, rows, scale, ticks }) {
  const left = Math.round(width * 0.38);
  const across = width - left - 124;
  const made = picture(width, ROW * rows.length + 20, label);
  const x = (value) => left + across * Math.min(1, Math.max(0, scale(value)));
  for (const [value, name] of ticks) {
    made.append(shape("line", { x1: x(value), x2: x(value), y1: 0, y2: ROW * rows.length, class: "ruler" }), text(x(value), ROW * rows.length + 10, name, "axis", "middle"));
  }
  rows.forEach((row, at) => {
    const y = at * ROW + ROW / 2;
    made.append(
      mark(row.href, row.title,
        shape("rect", { x: 0, y: y - ROW / 2, width, height: ROW, class: "row" }),
        text(0, y, short(row.name, left - 10), "name"),
        shape("line", { x1: x(row.from), x2: x(row.to), y1: y, y2: y, class: "reach" }),
        shape("circle", { cx: x(row.at), cy: y, r: 4.5, class: "dot" }),
        text(width - 112, y, row.text, "number")),
    );
  });
  return made;
}

/** As much of `words` as about `width` pixels hold: Chinese signs are twice as wide as letters. */
function short(words, width) {
  let used = 0;
  for (let at = 0; at < words.length; at++) {
    used += words.charCodeAt(at) > 0x2e7f ? 14 : 7.4;
    if (used > width) return `${words.slice(0, Math.max(1, at - 1))}…`;
  }
  return words;
}
