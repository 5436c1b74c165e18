// Beside the picture: zones, masks, ground points and rules as lists with their fields, each fault at its own.

import { data, element, t } from "./page.js";
import { named } from "./overlay.js";

export class Lists {
  /** `select(ref)` when a line is chosen; `defaults` and `schedules` come with the configuration. */
  constructor(root, drawing, select) {
    Object.assign(this, { root, drawing, select, defaults: {}, schedules: [], faults: [], ground: null, selected: null });
  }

  /** Whether somebody types in a field of them. */
  get typing() {
    const held = document.activeElement;
    return this.root.contains(held) && held.type === "text" && held.value !== held.defaultValue;
  }

  draw() {
    const { zones, masks, ground, rules } = this.drawing.parts;
    const held = document.activeElement?.closest?.("#lists") ? document.activeElement.dataset.field : null;
    const at = held ? [document.activeElement.selectionStart, document.activeElement.selectionEnd] : null;
    this.root.replaceChildren(
      this.section("zones", zones, (one, which) => this.zone(one, which)),
      this.section("rules", rules, (one, which) => this.rule(one, which), this.adder()),
      this.section("masks", masks, (one, which) => this.line("masks", which, t("cameras.mask", { number: which + 1 }), `${one.polygon.length}`)),
      this.section("ground", ground, (one, which) => this.point(one, which), this.trust()),
    );
    const again = held && this.root.querySelector(`[data-field="${held}"]`);
    if (again) {
      again.focus();
      if (again.type === "text" && at[0] !== null) again.setSelectionRange(...at);
    }
  }

  section(what, items, make, ...after) {
    const lines = items.map(make);
    if (!items.length) lines.push(element("p", { class: "dim" }, t(`cameras.none.${what}`)));
    return element("section", { class: what }, element("h2", {}, t(`cameras.of.${what}`), " ", element("small", {}, items.length ? String(items.length) : "")), ...lines, ...after.filter(Boolean));
  }

  faultsOf(what, which, key) {
    return this.faults.filter(({ where }) => where.what === what && where.which === which && (key === undefined || where.key === key));
  }

  told(faults) {
    return faults.map((one) => element("p", { class: "fault" }, one.text));
  }

  line(what, which, name, more, ...inside) {
    const ref = { what, which, point: null };
    const key = what === "zones" ? this.drawing.parts.zones[which].name : which;
    const faults = this.faultsOf(what, key);
    const chosen = this.selected?.what === what && this.selected.which === which;
    const row = element("div", { class: "item", "aria-current": chosen ? "true" : null, "data-faulty": faults.length > 0 },
      element("div", { class: "row" }, typeof name === "string" ? element("button", { type: "button", class: "plain" }, name) : name, element("small", {}, more), this.bin(what, which, typeof name === "string" ? name : key)),
      ...inside, ...this.told(faults));
    row.addEventListener("click", (event) => {
      if (!event.target.closest("input, select, .bin")) this.select(ref);
    });
    return row;
  }

  bin(what, which, name) {
    const button = element("button", { type: "button", class: "bin", "aria-label": t("cameras.remove_it", { name }), title: t("cameras.remove_it", { name }) }, "×");
    button.addEventListener("click", () => {
      this.drawing.remove({ what, which, point: null });
      this.select(null);
    });
    return button;
  }

  zone(one, which) {
    const input = this.input(`zone ${which}`, one.name, t("cameras.name"), (text) => this.drawing.rename(which, text), { maxlength: "40" });
    const rules = this.drawing.parts.rules.filter((rule) => rule.fields.zone === one.name).length;
    const row = this.line("zones", which, input, rules ? t("cameras.rules_of_zone", { count: rules }) : t("cameras.no_rule"));
    input.addEventListener("focus", () => this.selected?.what === "zones" && this.selected.which === which ? null : this.select({ what: "zones", which, point: null }));
    return row;
  }

  point(one, which) {
    const trust = this.ground?.points[which];
    const more = trust ? `± ${trust.error_m.toFixed(2)} m` : "";
    const fields = [0, 1].map((axis) => {
      const name = t("cameras.metres", { axis: "xy"[axis], number: which + 1 });
      const input = this.input(`metres ${which} ${axis}`, String(one.metres[axis]), name, (text) => {
        const metres = Number(text.replace(",", "."));
        if (text.trim() && Number.isFinite(metres)) this.drawing.setMetres(which, axis, metres);
      }, { inputmode: "decimal", maxlength: "9" });
      return element("label", { class: "row" }, "xy"[axis], input, "m");
    });
    return this.line("ground", which, t("cameras.point", { number: which + 1 }), more, element("div", { class: "row fields" }, ...fields));
  }

  trust() {
    const faults = this.faults.filter(({ where }) => where.what === "ground" && where.which === null);
    if (faults.length) return element("div", {}, ...this.told(faults));
    if (!this.ground) return null;
    const worst = Math.max(...this.ground.points.map((one) => one.off_m));
    const more = this.ground.points.length > 4 ? ` ${t("cameras.fit", { residual: this.ground.residual_m.toFixed(2), worst: worst.toFixed(2) })}` : "";
    return element("p", { class: "dim" }, t("cameras.trust", { error: this.ground.error_m.toFixed(2) }), more);
  }

  rule(one, which) {
    const fields = data.fields[one.kind].map((key) => this.field(one, which, key));
    const faults = this.faultsOf("rules", which).filter(({ where }) => !data.fields[one.kind].includes(where.key));
    return element("div", { class: "item rule", "data-faulty": this.faultsOf("rules", which).length > 0 },
      element("div", { class: "row" }, element("b", {}, t(`kind.${one.kind}`)), element("small", {}, ""), this.bin("rules", which, t(`kind.${one.kind}`))),
      element("div", { class: "grid" }, ...fields), ...this.told(faults));
  }

  field(one, which, key) {
    const name = t(`cameras.field.${key}`);
    const value = one.fields[key] ?? "";
    const faults = this.faultsOf("rules", which, key);
    const timed = key === "schedule" || key === "except";
    const set = (text) => this.drawing.setField(which, key, text.trim());
    let input;
    if (key === "zone" || key === "sensitivity") {
      const choices = key === "zone" ? this.drawing.parts.zones.map((zone) => zone.name) : ["low", "normal", "high"];
      if (value && !choices.includes(value)) choices.push(value);
      const names = choices.map((choice) => element("option", { value: choice, selected: choice === (value || this.defaults[one.kind]?.[key]) }, key === "zone" ? choice : t(`cameras.sensitivity.${choice}`)));
      input = element("select", { "data-field": `rule ${which} ${key}` }, ...names);
      input.addEventListener("change", () => set(input.value));
    } else {
      const usual = this.defaults[one.kind]?.[key] ?? "";
      input = this.input(`rule ${which} ${key}`, value, name, set, { placeholder: usual || t("cameras.without"), list: timed ? "schedules" : null });
    }
    if (faults.length) input.setAttribute("aria-invalid", "true");
    return element("label", { class: key === "zone" ? "whole" : timed ? "half" : "third" }, name, input, ...this.told(faults));
  }

  input(field, value, name, set, more = {}) {
    const input = element("input", { type: "text", value, "data-field": field, "aria-label": name, autocomplete: "off", spellcheck: "false", ...more });
    input.addEventListener("change", () => {
      input.defaultValue = input.value; // settled: it may be drawn anew
      set(input.value);
    });
    return input;
  }

  adder() {
    if (!this.drawing.parts.zones.length) return null;
    const kind = element("select", { "aria-label": t("cameras.new_rule"), "data-field": "new rule" }, ...Object.keys(data.fields).map((one) => element("option", { value: one }, t(`kind.${one}`))));
    const button = element("button", { type: "button", class: "quiet" }, t("cameras.new_rule"));
    button.addEventListener("click", () => {
      const chosen = this.selected?.what === "zones" ? this.selected.which : 0;
      this.drawing.addRule(kind.value, this.drawing.parts.zones[chosen].name);
    });
    const known = element("datalist", { id: "schedules" }, ...["always", "never", ...this.schedules].map((one) => element("option", { value: one })));
    return element("div", { class: "row adder" }, kind, button, known);
  }

  choose(ref) {
    const scroll = named(ref) !== named(this.selected) && ref?.what !== this.selected?.what;
    this.selected = ref;
    this.draw();
    if (scroll) this.root.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  }
}
