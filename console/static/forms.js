// The two things a guard does that no rule did: raise an incident by hand, and silence a rule for a while.

import { ask } from "./dialog.js";
import { api, data, element, t } from "./page.js";
import { clock } from "./times.js";

const KINDS = ["illegal_parking", "crowding", "possible_bullying", "other"];
const MINUTES = [10, 30, 60, 240];

/** An incident that a person saw, at this camera, now. */
export function askRaise(camera, say) {
  const where = select("camera", data.cameras.map((one) => [one.camera, one.name]), camera?.camera);
  const kind = select("kind", KINDS.map((one) => [one, t(`kind.${one}`)]));
  const level = select("severity", [1, 2, 3, 4].map((one) => [String(one), t(`severity.${one}`)]), "2");
  const plate = element("input", { name: "plate", autocomplete: "off", maxlength: "20" });
  const note = element("textarea", { name: "note", rows: "3", maxlength: "2000", required: true });
  ask(t("now.raise"), [label("now.where", where), label("now.what", kind), label("now.level", level), label("now.plate", plate), label("now.note", note)], words(), async () => {
    const body = { kind: kind.value, severity: Number(level.value), note: note.value.trim(), plate: plate.value.trim(), at_s: clock.now() };
    await api(`/api/v1/cameras/${encodeURIComponent(where.value)}/incidents`, { method: "POST", body });
    say(t("now.did.raise"));
  }, { say });
}

/** Tell nobody of what this rule finds on this camera for a while; the incidents are kept all the same. */
export function askSnooze(found, say) {
  const lasts = select("minutes", MINUTES.map((one) => [String(one), t("now.minutes", { minutes: one })]));
  const reason = element("textarea", { name: "reason", rows: "2", maxlength: "500", required: true });
  ask(`${t("now.snooze")}: ${found.camera_name} · ${found.rule}`, [label("now.lasts", lasts), label("now.reason", reason)], words(), async () => {
    const body = { rule: found.rule, until_s: clock.now() + 60 * Number(lasts.value), reason: reason.value.trim() };
    await api(`/api/v1/cameras/${encodeURIComponent(found.camera)}/snoozes`, { method: "POST", body });
    say(t("now.did.snooze"));
  }, { say });
}

function words() {
  return { send: t("now.do"), cancel: t("now.cancel") };
}

function label(key, field) {
  return element("label", {}, t(key), field);
}

function select(name, choices, chosen) {
  return element("select", { name }, ...choices.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
}
