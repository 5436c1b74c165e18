// One incident large: its clip at once, its pictures, what was measured, who did what, and what happened here before.

import { api, data, element, t } from "./page.js";
import { Player } from "./player.js";
import { stateText } from "./queue.js";
import { hour, moment, wallClock } from "./times.js";

const BEFORE_S = 10;

/** The newest picture of the whole place: a close-up says what it is only beside it, and little where plates are hidden. */
const shownFirst = (pictures) => pictures.findLast((one) => one.role !== "close_up") ?? pictures.at(-1);

export class IncidentView {
  /** `act(name, row)` for a button; `close()` for the way back. */
  constructor(root, act, close) {
    this.root = root;
    this.act = act;
    this.close = close;
    this.id = null;
    this.turn = 0; // of whoever asked last
    this.built = false;
    this.player = null;
  }

  /** Until its facts are there nothing of another one is seen: nobody answers for one what they saw of the other. */
  async open(row) {
    if (row.incident_id === this.id) return this.refresh({ background: false });
    this.leave();
    this.id = row.incident_id;
    this.root.hidden = false;
    this.root.replaceChildren(element("header", {}, this.back()));
    await this.refresh({ background: false });
  }

  /** New facts about the incident that is open; what plays goes on playing. */
  async refresh({ background = true } = {}) {
    if (this.id === null) return;
    const { turn } = this;
    let found;
    try {
      found = await api(`/live/incidents/${encodeURIComponent(this.id)}`, { background });
    } catch (error) {
      if (turn !== this.turn) return; // of one that nobody looks at any more
      throw error;
    }
    if (turn !== this.turn) return;
    if (!this.built) return this.build(found);
    this.facts(found);
    if (JSON.stringify(found.pictures) === this.pictured) return;
    // more pictures, or larger ones: what is looked at now stays
    const chosen = [...this.small.children].findIndex((one) => one.getAttribute("aria-pressed") === "true");
    const small = this.strip(found);
    [...small.children].forEach((one, number) => one.setAttribute("aria-pressed", String(number === chosen)));
    this.small.replaceWith(small);
    this.small = small;
  }

  leave() {
    this.turn += 1;
    this.id = null;
    this.built = false;
    this.put();
    this.root.hidden = true;
    this.root.replaceChildren();
  }

  back() {
    const back = element("button", { type: "button", class: "quiet" }, "← ", element("kbd", {}, "Esc"));
    back.addEventListener("click", () => this.close());
    return back;
  }

  /** On the stage is only this; what played there ends, or it would go on unseen and ask for more and more footage. */
  put(...shown) {
    this.player?.close();
    this.player = null;
    const video = this.stage?.querySelector("video");
    this.stage?.replaceChildren(...shown);
    if (!video) return;
    video.removeAttribute("src");
    video.load();
  }

  build(found) {
    this.built = true;
    this.stage = element("div", { class: "stage" });
    this.side = element("div", { class: "side" });
    this.head = element("span", { class: "state" });
    this.note = element("input", { type: "text", maxlength: "2000", placeholder: t("now.note"), "aria-label": t("now.note"), id: "note" });
    this.root.replaceChildren(
      element("header", {}, this.back(), element("span", { class: "level", "data-level": String(found.severity) }, t(`severity.${found.severity}`)),
        element("h2", {}, t(`kind.${found.kind}`)), element("span", {}, [found.camera_name, found.zone === "-" ? "" : found.zone].filter(Boolean).join(" · ")), this.head, element("span", { class: "push" }), recording(found)),
      element("div", { class: "body" }, element("div", {}, this.stage, (this.small = this.strip(found))), this.side),
      this.actions(found),
    );
    this.facts(found);
    this.play(found);
  }

  facts(found) {
    this.head.textContent = found.thread ? stateText(found.thread) : "";
    const facts = element("dl", { class: "facts" });
    const fact = (name, value) => facts.append(element("dt", {}, name), element("dd", {}, value));
    fact(t("now.opened"), moment(found.opened_s));
    if (found.closed_s) fact(t("now.closed"), [hour(found.closed_s), found.reason].filter(Boolean).join(" · "));
    fact(t("now.lasted"), found.lasted);
    for (const [label, text] of found.facts) fact(label, text);
    const words = [found.sentence, found.action].filter(Boolean).map((text) => element("p", {}, text));
    const log = element("ol", { class: "log" });
    for (const line of found.log) log.append(entry(line.at_s, line.who === "gatewatch" ? t("now.system") : line.who, [logText(line), line.note].filter(Boolean).join(": ")));
    const before = element("ol", { class: "log" });
    for (const one of found.before) before.append(earlier(one));
    if (!found.before.length) before.append(element("li", { class: "dim" }, t("now.nothing_before")));
    this.side.replaceChildren(...words, facts, element("h3", {}, t("now.log")), log, element("h3", {}, t("now.before")), before);
  }

  strip(found) {
    const strip = element("div", { class: "strip" });
    this.pictured = JSON.stringify(found.pictures);
    const choose = (button, show) => {
      button.addEventListener("click", () => {
        for (const one of strip.children) one.setAttribute("aria-pressed", String(one === button));
        show();
      });
      strip.append(button);
    };
    if (data.may.watch) choose(element("button", { type: "button", "aria-pressed": "true" }, element("span", {}, `▶ ${t("now.clip")}`)), () => this.play(found));
    for (const picture of found.pictures) {
      const image = element("img", { src: picture.url, alt: t(`role.${picture.role}`), loading: "lazy" });
      choose(element("button", { type: "button", "aria-pressed": "false" }, image, element("span", {}, t(`role.${picture.role}`))), () => this.picture(picture));
    }
    return strip;
  }

  play(found) {
    if (!data.may.watch || !found.clip) {
      const first = shownFirst(found.pictures);
      if (first) this.picture(first);
      else this.put(element("p", { class: "dim" }, t("now.no_picture")));
      return;
    }
    const note = element("p", { class: "note", hidden: true });
    const video = element("video", { src: found.clip, controls: true, autoplay: true, muted: true, loop: true, "aria-label": t("now.clip") });
    video.addEventListener("error", () => this.stage.contains(video) && this.recorded(found), { once: true });
    this.put(video, note);
  }

  /** While the clip is not made yet: what is recorded so far, from before it began. */
  async recorded(found) {
    const note = element("p", { class: "note", hidden: true });
    const video = element("video", { controls: true, muted: true, "aria-label": t("now.clip") });
    const player = new Player(video, (text) => {
      note.textContent = text;
      note.hidden = !text;
    });
    this.put(video, note);
    this.player = player;
    try {
      await player.open(found.camera, found.opened_s - BEFORE_S);
      if (!this.stage.contains(video)) return;
      if (player.shown_s !== null) return await video.play();
    } catch {
      // no recording is a state of its own: the newest picture says more than a black one
    }
    const first = shownFirst(found.pictures);
    if (this.stage.contains(video) && first) this.picture(first, t("now.no_clip"));
  }

  /** Large, with whose picture it is; where it is the recorded main stream's, the analysed one is a button away. */
  picture(picture, why = "") {
    const image = element("img", { src: picture.url, alt: t(`role.${picture.role}`) });
    const note = element("p", { class: "note", hidden: !why }, why);
    const words = element("p", { class: "whose" }, whose(picture).join(" · "));
    if (picture.other) {
      const other = element("button", { type: "button", class: "quiet" }, t("now.other"));
      other.addEventListener("click", () => this.picture({ ...picture, ...picture.other, source: "analysed", other: null }));
      words.append(" ", other);
    }
    this.put(...[image, words.textContent ? words : null, note].filter(Boolean));
  }

  actions(found) {
    const bar = element("div", { class: "actions" });
    const button = (name, key, text, kind = "") => {
      const made = element("button", { type: "button", class: kind, "data-act": name }, text, element("kbd", {}, key));
      made.addEventListener("click", () => this.act(name, found));
      bar.append(made);
    };
    const waits = found.thread !== null && found.thread.state !== "closed";
    if (data.may.answer && waits) {
      button("acknowledge", "A", t("now.acknowledge"), "primary");
      button("on_site", "O", t("now.on_site"));
    }
    if (data.may.judge) {
      bar.append(this.note);
      ["true", "false", "drill", "duplicate", "unsure"].forEach((verdict, number) => button(verdict, String(number + 1), t(`verdict.${verdict}`)));
    }
    if (data.may.answer && waits && found.rule && found.severity > 1) button("snooze", "Z", t("now.snooze"), "quiet");
    button("next", "N", t("now.next"));
    return bar;
  }
}

/** Which stream a picture is from and how large it is, and why it is not the main one. */
function whose(picture) {
  const words = [];
  if (picture.source) words.push(t(`now.source.${picture.source}`, { width: picture.width, height: picture.height }));
  if (Math.abs(picture.off_s ?? 0) >= 0.1 && picture.source === "main") words.push(t("now.off", { off: picture.off_s.toFixed(2) }));
  if (picture.why) words.push(t(`now.no_main.${picture.why}`));
  return words;
}

function entry(time_s, who, text) {
  return element("li", {}, element("time", {}, hour(time_s)), element("span", {}, [who, text].filter(Boolean).join(" · ")));
}

/** To the recording of that moment. */
function recording(found) {
  if (!data.may.watch) return "";
  const query = new URLSearchParams({ camera: found.camera, at: found.opened_s - BEFORE_S });
  return element("a", { href: `/footage?${query}` }, t("frame.footage"));
}

/** What was here before; who may see the history goes there from it. */
function earlier(one) {
  const text = [t(`kind.${one.kind}`), one.verdict ? t(`verdict.${one.verdict}`) : ""].filter(Boolean).join(" · ");
  const inside = data.may.judge ? element("a", { href: `/history?incident=${encodeURIComponent(one.incident_id)}` }, text) : element("span", {}, text);
  return element("li", {}, element("time", {}, wallClock(one.opened_s).replace("T", " ")), inside);
}

function logText(line) {
  const [action, verdict] = line.action.split(":");
  return verdict ? `${t("state.closed")}: ${t(`verdict.${verdict}`)}` : t(`state.${action}`, {});
}

