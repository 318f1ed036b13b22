// Keeps the parts of a page that are marked with data-live (seconds) up to date, while somebody looks at them: through a
// stream of what changed, and by asking where there is none. Without this script a page is as it was when it was opened,
// and everything on it works.
"use strict";

const POLL_MS = 5000; // between two looks where there is no stream
const STREAM_AGAIN_MS = 60000; // until another stream is tried for
const SETTLE_MS = 300; // scrolling moves many parts in and out
const parts = () => [...document.querySelectorAll("[data-live][id]")];
const busy = (part) => part.contains(document.activeElement) && document.activeElement !== document.body;
const visible = new Set();
const late = new Map(); // what came while somebody was busy in the part
let stream = null;
let settling = 0;
let refused = 0; // when no stream was given

const away = (is) => document.documentElement.toggleAttribute("data-away", is);

function put(id, inside) {
  const part = document.getElementById(id);
  if (!part) return;
  if (busy(part)) {
    late.set(id, inside);
    return;
  }
  late.delete(id);
  const fresh = new DOMParser().parseFromString(inside, "text/html").body;
  if (fresh.innerHTML.trim() !== part.innerHTML.trim()) part.replaceChildren(...fresh.childNodes);
}

document.addEventListener("focusout", () => setTimeout(() => late.forEach((inside, id) => put(id, inside))));

function close() {
  if (stream) stream.close();
  stream = null;
}

function listen() {
  close();
  if (document.hidden || visible.size === 0 || Date.now() - refused < STREAM_AGAIN_MS) return;
  const asked = new URLSearchParams({ at: location.pathname + location.search });
  for (const id of [...visible].sort()) asked.append("part", id);
  stream = new EventSource(`/live?${asked}`);
  stream.onopen = () => away(false);
  stream.onmessage = (event) => {
    const part = JSON.parse(event.data);
    put(part.id, part.inside);
  };
  stream.addEventListener("over", refuse);
  stream.onerror = () => {
    if (stream && stream.readyState === EventSource.CLOSED) refuse();
    else away(true); // the browser tries again by itself
  };
}

function refuse() {
  close();
  refused = Date.now();
}

function settle() {
  clearTimeout(settling);
  settling = setTimeout(listen, SETTLE_MS);
}

async function poll() {
  if (stream || document.hidden || visible.size === 0) return;
  if (Date.now() - refused >= STREAM_AGAIN_MS) {
    settle();
    return;
  }
  try {
    const response = await fetch(location.href, { headers: { "x-live": "1" }, redirect: "error" });
    if (response.ok) {
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const id of visible) {
        const newer = fresh.getElementById(id);
        if (newer) put(id, newer.innerHTML);
      }
    }
    away(false);
  } catch {
    away(true);
  }
}

if (parts().length) {
  const watching = new IntersectionObserver((seen) => {
    for (const each of seen) visible[each.isIntersecting ? "add" : "delete"](each.target.id);
    settle();
  });
  for (const part of parts()) watching.observe(part);
  document.addEventListener("visibilitychange", settle);
  addEventListener("pagehide", close);
  addEventListener("pageshow", settle);
  setInterval(poll, POLL_MS);
}

// A form with data-check-at is checked there when a field is left; what is wrong is shown beside each. Two fields may be
// left within a moment, and the answers come in any order: only that to the last check counts.
let checking = null;

async function checked(form) {
  if (checking) checking.abort();
  checking = new AbortController();
  const body = new URLSearchParams(new FormData(form));
  try {
    const response = await fetch(form.dataset.checkAt, { method: "POST", body, redirect: "error", signal: checking.signal });
    return response.ok ? await response.text() : null;
  } catch {
    return null; // a later check is on its way, or nobody answers, which the buttons tell
  }
}

document.addEventListener("change", async (event) => {
  const form = event.target.form;
  if (!form || !form.dataset.checkAt || event.target.name === "example") return;
  const told = await checked(form);
  if (told === null) return;
  const fresh = new DOMParser().parseFromString(told, "text/html");
  for (const mark of document.querySelectorAll("[data-check][id]")) {
    const newer = fresh.getElementById(mark.id);
    if (!newer) continue;
    mark.textContent = newer.textContent;
    const field = form.elements[mark.id.slice("wrong-".length)];
    if (field && field.toggleAttribute) field[newer.textContent.trim() ? "setAttribute" : "removeAttribute"]("aria-invalid", "true");
  }
});
