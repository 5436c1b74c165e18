// The one dialog of a page in which a person fills in a form.

import { element } from "./page.js";

const dialog = document.getElementById("form");

/**
 * Opens a form under `title`. `words`: the texts of the buttons that send and that cancel. `send` is asked once at a time;
 * when it resolves the dialog is closed, when it throws its message is shown. Who has left the form by then is told by
 * `say(text, bad)`, and another form that is open by then stays.
 */
export function ask(title, fields, words, send, { say = () => {}, style = "stack" } = {}) {
  const fault = element("p", { class: "fault", role: "alert", hidden: true });
  const primary = element("button", { class: "primary" }, words.send);
  const cancel = element("button", { type: "button", class: "quiet" }, words.cancel);
  const form = element("form", { class: style }, ...fields, fault, element("div", { class: "ends" }, primary, " ", cancel));
  const here = () => dialog.open && dialog.contains(form);
  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (primary.disabled) return;
    primary.disabled = true;
    fault.hidden = true;
    try {
      await send(form);
      if (here()) dialog.close();
    } catch (error) {
      if (!here()) return say(error.message, true);
      fault.textContent = error.message;
      fault.hidden = false;
    } finally {
      primary.disabled = false;
    }
  });
  dialog.setAttribute("aria-label", title);
  dialog.replaceChildren(element("h2", {}, title), form);
  dialog.showModal();
}
