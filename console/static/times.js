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

const parts = new Intl.DateTimeFormat("en-CA", {
  timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** 2026-09-01T07:31, local to the site, as a field for date and time takes it. */
export function wallClock(time_s) {
  const found = Object.fromEntries(parts.formatToParts(time_s * 1000).map((one) => [one.type, one.value]));
  return `${found.year}-${found.month}-${found.day}T${found.hour}:${found.minute}`;
}

/** Unix seconds of a wall clock of the site ("2026-09-01T07:30"), right on days on which it is put forward or back. */
export function instant(text) {
  const wall_s = Date.parse(`${text}Z`) / 1000;
  const offset = (at_s) => {
    const minute_s = Math.floor(at_s / 60) * 60;
    return Date.parse(`${wallClock(minute_s)}Z`) / 1000 - minute_s;
  };
  return wall_s - offset(wall_s - offset(wall_s));
}
