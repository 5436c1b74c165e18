// What every module of a page needs: words, data from the server, and requests that carry the log-in's token.

const given = JSON.parse(document.getElementById("for-scripts").textContent);

export const language = given.language;
export const data = given.data;

/** The text of `key` in the page's language, `{name}` filled in. */
export function t(key, values = {}) {
  const text = given.words[key];
  if (text === undefined) throw new Error(`no word for ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A refusal of the API: `status`, `code`, `message` (its detail), `problem` (the whole document). */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? String(status));
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
  }
}

/** The page asks again by itself: an answer that never comes must not be the end of it. */
const PATIENCE_MS = 30_000;

/** As `fetch`, for what the page asks by itself: it does not keep a forgotten screen logged in, and it has an end. */
async function unasked(path, more = {}) {
  const headers = { ...more.headers, "Gatewatch-Background": "1" };
  return fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), ...more, headers }).catch(late);
}

/** An answer that does not come, or begins and stays away, is a server that cannot be reached. */
function late(error) {
  throw error.name === "TimeoutError" ? new TypeError(error.message) : error;
}

/**
 * Ask the API; resolves to the JSON of the answer (null when there is none). Throws Refused, or TypeError when the
 * server cannot be reached. `background`: the page asks by itself.
 */
export async function api(path, { method = "GET", body, background = false, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = document.body.dataset.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await (background ? unasked : fetch)(path, {
    method,
    headers,
    ...(signal && { signal }),
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
  });
  const json = (answer.headers.get("Content-Type") ?? "").includes("json") ? await answer.json().catch(late) : null;
  if (!answer.ok) {
    if (answer.status === 401) document.dispatchEvent(new Event("gatewatch:logged-out"));
    throw new Refused(answer.status, json ?? {});
  }
  return json;
}

/**
 * Pictures that the page asks for by itself: `head` says what they are, `jpeg(n)` is the n-th of `head.cameras`. Null where
 * they are refused. Throws TypeError when the server cannot be reached.
 */
export async function pictures(path) {
  const answer = await unasked(path);
  if (answer.status === 401) document.dispatchEvent(new Event("gatewatch:logged-out"));
  if (!answer.ok) return null;
  const buffer = await answer.arrayBuffer().catch(late);
  const length = new DataView(buffer).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const jpeg = (number) => {
    const before = head.cameras.slice(0, number).reduce((sum, one) => sum + one.bytes, 4 + length);
    return new Blob([new Uint8Array(buffer, before, head.cameras[number].bytes)], { type: "image/jpeg" });
  };
  return { head, jpeg };
}

/** Shows in the bar whether the connection to the server stands. */
export function connected(yes) {
  document.querySelector(".lost").hidden = yes;
}

/** An element with attributes and children; text is text and never markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}
