// The words for instants and for lengths of time, the same on every view: milliseconds in, text out.
"use strict";

const moments = (() => {
  const pad = (number) => String(number).padStart(2, "0");

  // In local time; without its seconds if that is asked for.
  function clock(ms, seconds = true) {
    const date = new Date(ms);
    const words = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
    return seconds ? `${words}:${pad(date.getSeconds())}` : words;
  }

  function day(ms) {
    const date = new Date(ms);
    return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  }

  // An instant as it is told now: what is not of today has its day.
  function when(ms, nowMs) {
    return day(ms) === day(nowMs) ? clock(ms) : `${day(ms)} ${clock(ms, false)}`;
  }

  function length(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    if (minutes === 0) return `${seconds} s`;
    if (hours === 0) return `${minutes} min`;
    if (hours < 24) return `${hours} h ${minutes % 60} min`;
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  }

  return { pad, clock, day, when, length };
})();
