// What people answer to an incident, the same wherever it is shown.

import { api, Refused, t } from "./page.js";

export const VERDICTS = ["true", "false", "drill", "duplicate", "unsure"];

/**
 * `acknowledge`, `on_site` or a verdict, with the words in the field `note`. `say(text, bad)` tells what came of it.
 * Resolves to true when something changed, by this or by whoever was first.
 */
export async function answer(name, found, say) {
  const path = `/api/v1/incidents/${encodeURIComponent(found.incident_id)}`;
  const note = document.getElementById("note");
  const words = note?.value.trim() ?? "";
  try {
    if (name === "acknowledge") await api(`${path}/acknowledge`, { method: "POST", body: { note: words } });
    else if (name === "on_site") await api(`${path}/on-site`, { method: "POST", body: { note: words } });
    else if (name === "false" && found.kind === "possible_bullying" && !words) {
      note?.focus();
      say(t("now.reason_needed"), true);
      return false;
    } else {
      await api(`${path}/verdict`, { method: "POST", body: { verdict: name, note: words } });
      if (note) note.value = "";
    }
    say(t(`now.did.${VERDICTS.includes(name) ? "verdict" : name}`));
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) {
      say(t("now.not_done"), true);
      return false;
    }
    const first = error.problem;
    say(first.who ? t("now.first", { who: first.who, state: t(`state.${first.state}`) }) : error.message, true);
    return true;
  }
}
