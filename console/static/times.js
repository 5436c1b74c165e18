// Time as the server has it, and as people of the site read it.

import { data, language } from "./page.js";

let offset = null;

/** The server's clock, carried on by ours: a screen whose own clock is wrong still shows true ages. */
export const clock = {
  set(now_s) {
    offset = now_s - performance.now() / 1000;
  },
  now() {
    return offset === null ? Date.now() / 1000 : offset + performance.now() / 1000;
  },
};

const zone = data?.timezone ?? "UTC";
const short = new Intl.DateTimeFormat(language, { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const long = new Intl.DateTimeFormat(language, {
  timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** 07:31:05, local to the site. */
export function hour(time_s) {
  return short.format(time_s * 1000);
}

/** With its date. */
export function moment(time_s) {
  return long.format(time_s * 1000);
}

/** 0:42, 12:07, 1:02:03. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const tail = String(s).padStart(2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}
