// The queue of alerts that wait for a person: gravest first, then newest. A card stays where it is while nothing changes.

import { pressed } from "./keys.js";
import { element, t } from "./page.js";
import { clock, hour, span } from "./times.js";

const ANSWERED = new Set(["acknowledged", "on_site"]);

export class Queue {
  /** `chosen(id)`: a card was clicked. `changed(rows, fresh)`: after each update, with the ids that were not there before. */
  constructor(chosen, changed) {
    this.list = document.getElementById("cards");
    this.count = document.getElementById("count");
    this.empty = document.getElementById("empty");
    this.chosen = chosen;
    this.changed = changed;
    this.rows = [];
    this.cards = new Map();
    this.current = null;
    this.first = true;
    setInterval(() => this.tick(), 500);
  }

  /** Rows as the server orders them. */
  update(rows) {
    const held = this.list.contains(document.activeElement) ? document.activeElement : null;
    const place = held && [...this.list.children].indexOf(held);
    const fresh = this.first ? [] : rows.filter((row) => !this.cards.has(row.incident_id)).map((row) => row.incident_id);
    this.rows = rows;
    const keep = new Set(rows.map((row) => row.incident_id));
    for (const [id, card] of this.cards) {
      if (!keep.has(id)) {
        card.root.remove();
        this.cards.delete(id);
      }
    }
    rows.forEach((row, index) => {
      let card = this.cards.get(row.incident_id);
      if (!card) {
        card = this.make(row.incident_id);
        this.cards.set(row.incident_id, card);
        if (!this.first) card.root.classList.add("new");
      }
      this.fill(card, row);
      if (this.list.children[index] !== card.root) this.list.insertBefore(card.root, this.list.children[index] ?? null);
    });
    // Moving an element takes its focus, and removing it would send the next Tab to the top of the page.
    if (held && held !== document.activeElement) (held.isConnected ? held : this.list.children[Math.min(place, rows.length - 1)])?.focus({ preventScroll: true });
    const waiting = rows.filter((row) => !ANSWERED.has(row.state)).length;
    this.count.textContent = String(waiting);
    this.count.toggleAttribute("data-some", waiting > 0);
    this.empty.hidden = rows.length > 0;
    this.first = false;
    this.tick();
    this.changed(rows, fresh, waiting);
  }

  make(id) {
    const part = (name, kind = "span") => element(kind, { class: name });
    const card = {
      what: part("what"), drill: part("drill"), when: part("when", "time"), where: part("where"),
      state: part("state"), limit: part("limit"),
    };
    card.drill.textContent = t("now.drill");
    card.root = element(
      "li",
      { class: "alert", tabindex: "0", "data-incident": id },
      element("p", {}, card.what, card.drill, card.when),
      element("p", {}, card.where),
      element("p", {}, card.state, card.limit),
    );
    card.root.addEventListener("click", () => this.chosen(id));
    pressed(card.root, () => this.chosen(id));
    return card;
  }

  fill(card, row) {
    card.row = row;
    card.root.dataset.level = String(row.severity);
    card.root.dataset.state = row.state;
    card.root.toggleAttribute("data-answered", ANSWERED.has(row.state));
    card.what.textContent = t(`kind.${row.kind}`);
    card.drill.hidden = !row.drill;
    card.when.textContent = hour(row.opened_s ?? row.created_s);
    card.where.textContent = [row.camera_name, row.zone === "-" ? "" : row.zone, headline(row)].filter(Boolean).join(" · ");
    card.state.textContent = stateText(row);
  }

  tick() {
    const now = clock.now();
    for (const { row, limit } of this.cards.values()) {
      const waits = row.deadline_s !== null && !ANSWERED.has(row.state);
      const left = waits ? row.deadline_s - now : 0;
      limit.textContent = waits ? (left >= 0 ? span(left) : `+${span(-left)}`) : "";
      limit.toggleAttribute("data-late", waits && left < 0);
    }
  }

  select(id) {
    this.current = id;
    for (const [one, { root }] of this.cards) {
      root.setAttribute("aria-current", String(one === id));
      if (one === id) root.scrollIntoView({ block: "nearest" });
    }
  }

  /** The id `by` places from the current one; at the ends it stays. */
  beside(by) {
    const at = this.rows.findIndex((row) => row.incident_id === this.current);
    const to = at < 0 ? 0 : Math.min(this.rows.length - 1, Math.max(0, at + by));
    return this.rows[to]?.incident_id ?? null;
  }

  /** The first that nobody has answered, other than `but`. */
  nextWaiting(but) {
    return this.rows.find((row) => !ANSWERED.has(row.state) && row.incident_id !== but)?.incident_id ?? null;
  }

  row(id) {
    return this.cards.get(id)?.row ?? null;
  }

  /** Camera -> gravest level among its unanswered alerts. */
  levels() {
    const found = new Map();
    for (const row of this.rows) {
      if (!ANSWERED.has(row.state)) found.set(row.camera, Math.min(found.get(row.camera) ?? 9, row.severity));
    }
    return found;
  }
}

/** `pending`, and who has answered, and how far it was escalated. */
export function stateText(row) {
  const by = row.state === "on_site" ? row.on_site_by : row.state === "closed" ? row.closed_by : row.acknowledged_by;
  const text = t(`state.${row.state}`) + (by && ["acknowledged", "on_site", "closed"].includes(row.state) ? ` · ${by}` : "");
  if (row.silenced) return `${text} · ${t("now.silenced")}`;
  return row.step > 0 && !["acknowledged", "on_site", "closed"].includes(row.state) ? `${text} · ${t("now.step", { step: row.step + 1 })}` : text;
}

function headline(row) {
  const { standing, peak_people: peak, people } = row.evidence ?? {};
  if (standing) return span(Number(standing.value));
  const most = peak ?? people;
  return most ? t("now.people", { people: most.value }) : "";
}
