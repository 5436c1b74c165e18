// What the drawing means in the file: the difference, what it would have made of the last hours, and putting it in force.

import { api, data, element, Refused, t } from "./page.js";
import { moment, span } from "./times.js";

const ASK_MS = 1000;
const HOURS = [1, 6, 24];

export class Change {
  /** `apply(why)` puts it in force and returns when that is done. `body()` is what is drawn, for the API. */
  constructor(root, camera, body, apply) {
    Object.assign(this, { root, camera, body, apply });
    this.found = null;
    this.effect = null;
    this.asking = 0;
    this.why = "";
    this.fault = "";
    this.writable = true;
  }

  /** `found`: a preview; null: it is not known yet. */
  show(found) {
    this.found = found;
    this.draw();
  }

  /** Something is drawn anew: what was found out of the last hours is of before. */
  forget() {
    this.asking += 1;
    this.effect = null;
  }

  draw() {
    if (this.found === null) {
      this.root.replaceChildren(element("p", { class: "dim" }, t("cameras.looking")));
      return;
    }
    const { changed, diff, faults } = this.found;
    if (!changed && !faults.length) {
      this.root.replaceChildren(element("p", { class: "dim" }, t("cameras.same")));
      return;
    }
    this.root.replaceChildren(
      ...(faults.length ? [element("div", { role: "alert" }, element("ul", { class: "faults" }, ...faults.map((one) => element("li", { class: "fault" }, one.text))))] : []),
      difference(diff),
      ...(changed && !faults.length ? [this.effectPart(), this.applyPart()] : []),
    );
  }

  effectPart() {
    const hours = element("select", { "aria-label": t("cameras.effect_hours") }, ...HOURS.map((one) => element("option", { value: String(one), selected: one === (this.hours ?? 24) }, t("cameras.hours", { hours: one }))));
    const button = element("button", { type: "button", id: "look" }, t("cameras.look"));
    const out = element("div", { id: "effect", role: "status", "aria-live": "polite" });
    button.addEventListener("click", () => this.look((this.hours = Number(hours.value))));
    if (this.effect) out.append(...effectOf(this.effect));
    return element("section", { class: "effect" }, element("h2", {}, t("cameras.effect")), element("div", { class: "row" }, hours, button, element("small", {}, t("cameras.effect_hint"))), out);
  }

  async look(hours) {
    const turn = ++this.asking;
    const url = `/api/v1/cameras/${encodeURIComponent(this.camera())}/configuration/effect`;
    try {
      let found = await api(url, { method: "POST", body: { ...this.body(), hours } });
      while (turn === this.asking) {
        this.effect = found;
        this.root.querySelector("#effect")?.replaceChildren(...effectOf(found));
        if (found.state !== "waiting" && found.state !== "running") return;
        await new Promise((done) => setTimeout(done, ASK_MS));
        found = await api(`/api/v1/configuration/effects/${found.effect_id}`, { background: true });
      }
    } catch (error) {
      if (turn === this.asking) this.root.querySelector("#effect")?.replaceChildren(element("p", { class: "fault" }, error.message));
    }
  }

  applyPart() {
    const why = element("input", { type: "text", id: "why", maxlength: String(data.why_most), required: true, value: this.why, autocomplete: "off" });
    const button = element("button", { class: "primary", id: "apply", disabled: !this.writable }, t("cameras.apply"));
    const fault = element("p", { class: "fault", role: "alert" }, this.writable ? this.fault : t("cameras.read_only"));
    const form = element("form", { class: "apply" }, element("label", {}, t("cameras.why"), why), button, fault);
    why.addEventListener("input", () => (this.why = why.value));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      fault.textContent = "";
      try {
        await this.apply(why.value.trim());
        this.why = "";
      } catch (error) {
        fault.textContent = error instanceof Refused ? error.message : t("frame.lost");
        button.disabled = false;
      }
    });
    return form;
  }
}

/** The lines of a difference, with the numbers of both sides. */
export function difference(lines) {
  const signs = { same: " ", gone: "−", new: "+", gap: "⋯" };
  return element("div", { class: "diff", role: "table", tabindex: "0", "aria-label": t("cameras.diff") },
    ...lines.map((one) => element("div", { class: one.kind, role: "row" },
      element("span", { class: "no", role: "cell" }, one.old === null ? "" : String(one.old)), element("span", { class: "no", role: "cell" }, one.new === null ? "" : String(one.new)),
      element("span", { class: "sign", role: "cell" }, signs[one.kind]), element("code", { role: "cell" }, one.text))));
}

function effectOf(found) {
  const { state, result } = found;
  if (state === "waiting" || state === "running") return [element("p", { class: "dim" }, t(`cameras.effect.${state}`, { time: span(found.seconds) }))];
  if (state === "nothing") return [element("p", {}, t("cameras.effect.nothing", { hours: found.hours }))];
  if (state !== "done") return [element("p", { class: "fault" }, t("cameras.effect.failed", { said: found.said }))];
  const { summary } = result;
  const [camera] = result.cameras;
  const rows = [
    ...camera.raised.map((one) => ["raised", one, ""]),
    ...camera.lost.map((one) => ["lost", one, one.verdict]),
    ...camera.kept.map((one) => ["kept", one.then, one.then.verdict]),
  ].sort((a, b) => b[1].opened_s - a[1].opened_s).sort((a, b) => (a[0] === "kept") - (b[0] === "kept"));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...["what", "when", "kind", "zone", "verdict"].map((one) => element("th", {}, t(`cameras.column.${one}`))))),
    element("tbody", {}, ...rows.slice(0, 60).map(([what, one, verdict]) => element("tr", { "data-what": what },
      element("td", {}, t(`cameras.effect.${what}`)), element("td", {}, moment(one.opened_s)), element("td", {}, t(`kind.${one.kind}`)), element("td", {}, one.zone), element("td", {}, what === "raised" ? "" : verdict ? t(`verdict.${verdict}`) : t("cameras.unjudged"))))));
  return [
    element("p", { class: "sum" }, figure(summary.raised, t("cameras.effect.raised"), "raised"), figure(summary.lost, t("cameras.effect.lost"), "lost", summary.lost_verdicts), figure(summary.kept, t("cameras.effect.kept"), "kept", summary.kept_verdicts)),
    element("p", { class: "dim" }, t("cameras.effect.of", { seen: span(summary.replayed_s), asked: span(summary.asked_s), took: span(found.seconds) }), summary.not_replayed ? ` ${t("cameras.effect.blind", { count: summary.not_replayed })}` : "", ...camera.notes.map((one) => ` ${one}`)),
    ...(rows.length ? [table] : []),
  ];
}

function figure(count, name, what, verdicts = {}) {
  const judged = Object.entries(verdicts).map(([verdict, many]) => `${many} ${verdict === "none" ? t("cameras.unjudged") : t(`verdict.${verdict}`)}`).join(", ");
  return element("span", { class: "figure", "data-what": what }, element("b", {}, String(count)), ` ${name}`, judged ? element("small", {}, ` (${judged})`) : "");
}
