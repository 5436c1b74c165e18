// Earlier versions of the configuration: who, when, why, what differs from the file now, and taking it back.

import { api, data, element, Refused, t } from "./page.js";
import { difference } from "./change.js";
import { moment } from "./times.js";

export class Versions {
  /** `reverted(version)` is called when one was taken back. */
  constructor(root, reverted) {
    Object.assign(this, { root, reverted, turn: 0 });
  }

  async load() {
    try {
      this.all = await api("/api/v1/configuration/versions");
    } catch (error) {
      this.root.replaceChildren(element("p", { class: "fault" }, error.message));
      return;
    }
    this.draw();
  }

  draw() {
    const open = element("div", { id: "version" });
    if (!this.all.length) {
      this.root.replaceChildren(element("p", { class: "dim" }, t("cameras.no_versions")));
      return;
    }
    const rows = this.all.map((one) => {
      const button = element("button", { type: "button", class: "quiet" }, t("cameras.show"));
      button.addEventListener("click", () => this.open(one, open));
      const names = new Map(data.cameras.map((camera) => [camera.camera, camera.name]));
      const what = t(`cameras.version.${one.what}`, { camera: names.get(one.camera) ?? one.camera ?? "", number: one.reverted_to ?? "" });
      return element("tr", { "aria-current": one.in_force ? "true" : null, "data-number": String(one.number) },
        element("td", { class: "n" }, String(one.number)), element("td", {}, moment(one.at_s)), element("td", {}, one.who), element("td", {}, what), element("td", { class: "why" }, one.why),
        element("td", {}, one.in_force ? element("span", { class: "ok" }, t("cameras.in_force")) : button));
    });
    const heads = ["number", "when", "who", "what", "why"].map((one) => element("th", {}, t(`cameras.column.${one}`)));
    this.root.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...heads, element("th", {}))), element("tbody", {}, ...rows)), open);
  }

  async open(one, open) {
    const mine = ++this.turn;
    open.replaceChildren(element("p", { class: "dim" }, t("cameras.looking")));
    try {
      const found = await api(`/api/v1/configuration/versions/${one.number}`);
      if (mine !== this.turn) return;
      open.replaceChildren(
        element("h2", {}, t("cameras.back_to", { number: one.number })),
        ...(found.faults.length ? [element("ul", { class: "faults" }, ...found.faults.map((fault) => element("li", { class: "fault" }, fault.text)))] : []),
        difference(found.diff),
        ...(found.faults.length ? [] : [this.form(one, found.base)]),
      );
    } catch (error) {
      if (mine === this.turn) open.replaceChildren(element("p", { class: "fault" }, error.message));
    }
  }

  form(one, base) {
    const why = element("input", { type: "text", id: "revert-why", maxlength: String(data.why_most), required: true, autocomplete: "off" });
    const button = element("button", { class: "primary", id: "revert" }, t("cameras.revert"));
    const fault = element("p", { class: "fault", role: "alert" });
    const form = element("form", { class: "apply" }, element("label", {}, t("cameras.why"), why), button, fault);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        const made = await api(`/api/v1/configuration/versions/${one.number}/revert`, { method: "POST", body: { base, why: why.value.trim() } });
        await this.reverted(made);
        await this.load();
      } catch (error) {
        fault.textContent = error instanceof Refused ? error.message : t("frame.lost");
        button.disabled = false;
      }
    });
    return form;
  }
}
