// One camera large: smooth live video where this person may see it, else the newest analysed picture.

import { data, element, t } from "./page.js";
import { LiveVideo } from "./video.js";
import * as wall from "./wall.js";

export class CameraView {
  constructor(root, close) {
    this.root = root;
    this.close = close;
    this.shown = null;
    this.video = null;
  }

  open(camera) {
    this.leave();
    this.shown = camera;
    this.root.hidden = false;
    const back = element("button", { type: "button", class: "quiet" }, "← ", element("kbd", {}, "Esc"));
    back.addEventListener("click", () => this.close());
    const note = element("p", { class: "note", hidden: true });
    const say = (text) => {
      note.textContent = text;
      note.hidden = !text;
    };
    const stage = element("div", { class: "stage live" });
    this.root.replaceChildren(element("header", {}, back, element("h2", {}, camera.name), element("span", { class: "age" })), element("div", { class: "single" }, stage));
    if (data.may.video) {
      const video = element("video", { muted: true, autoplay: true, playsInline: true, "aria-label": t("now.live", { camera: camera.name }) });
      stage.replaceChildren(video, note);
      say(t("now.starting"));
      this.video = new LiveVideo(video, camera.camera, say);
    } else {
      stage.replaceChildren(element("canvas", { width: 640, height: 480 }), note);
      say(t("now.blurred_only"));
    }
    wall.follow(camera.camera, stage.querySelector("canvas"), this.root.querySelector(".age"));
  }

  leave() {
    this.shown = null;
    this.video?.close();
    this.video = null;
    wall.follow(null);
    this.root.hidden = true;
    this.root.replaceChildren();
  }
}
