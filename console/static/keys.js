// Keys that mean something on a whole page: not while a dialog is open, and not while somebody types.

const FIELDS = "input, textarea, select";
/** What these do when they are held is what is wanted; of any other a held key would be a second answer. */
const HELD = new Set(["arrowdown", "arrowup", "j", "k", ",", "."]);

/**
 * Gives keys their meaning: name of the key (letters small) -> what it does. Escape leaves a field, and only then it is the
 * page's own; Enter and space belong to the button or link that has the focus. `also`: what else takes keys itself.
 */
export function listen(keys, also = "") {
  const fields = [FIELDS, also].filter(Boolean).join(", ");
  const does = new Map(Object.entries(keys).map(([key, action]) => [key.toLowerCase(), action]));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    const target = meant(event.target);
    const field = target.closest(fields);
    if (field) {
      if (key === "escape") field.blur();
      return;
    }
    if ((key === "enter" || key === " ") && target.closest("button, a, summary")) {
      if (event.repeat) event.preventDefault(); // a browser presses a button as long as Enter is held
      return;
    }
    if (!does.has(key)) return;
    event.preventDefault();
    if (!event.repeat || HELD.has(key)) does.get(key)();
  });
}

/** Makes `element`, which has the focus, do `action` by Enter and space, as a button does; once, however long it is held. */
export function pressed(element, action) {
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation(); // on the page Enter means the chosen incident
    if (!event.repeat) action();
  });
}

/**
 * What a key was meant for. A dialog that was closed keeps the focus until the page is painted again, and on a busy machine
 * the next key comes before: it would go into a field that nobody sees, and an Escape or an answer would be lost.
 */
function meant(target) {
  if (target.checkVisibility?.() ?? true) return target; // Safari has it since 17.4
  target.blur();
  return document.body;
}
