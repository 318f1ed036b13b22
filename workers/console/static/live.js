// Keeps the parts of a page that are marked with data-live (seconds) up to date, while somebody looks at it.
// Without this script a page is as it was when it was opened, and everything on it works.
"use strict";

const parts = () => [...document.querySelectorAll("[data-live][id]")];
const busy = (part) => part.contains(document.activeElement) && document.activeElement !== document.body;

async function renew() {
  if (document.hidden || parts().length === 0) return;
  const response = await fetch(location.href, { headers: { "x-live": "1" }, redirect: "error" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of parts()) {
    const newer = fresh.getElementById(part.id);
    if (newer && !busy(part) && newer.innerHTML !== part.innerHTML) part.replaceChildren(...newer.childNodes);
  }
}

async function again() {
  const seconds = Math.min(...parts().map((part) => Number(part.dataset.live) || 5));
  if (!Number.isFinite(seconds)) return;
  await new Promise((wake) => setTimeout(wake, seconds * 1000));
  try {
    await renew();
    document.documentElement.removeAttribute("data-away");
  } catch {
    document.documentElement.setAttribute("data-away", "");
  }
  again();

// A form with data-check-at is checked there when a field is left; what is wrong is shown beside each.
document.addEventListener("change", async (event) => {
  const form = event.target.form;
  if (!form || !form.dataset.checkAt || event.target.name === "example") return;
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(form.dataset.checkAt, { method: "POST", body, redirect: "error" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const mark of form.querySelectorAll("[data-check][id]")) {
    const newer = fresh.getElementById(mark.id);
    if (!newer) continue;
    mark.textContent = newer.textContent;
    const field = form.elements[mark.id.slice("wrong-".length)];
    if (field && field.toggleAttribute) {
      if (newer.textContent.trim()) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }
});
}

again();

// A form with data-check-at is checked there when a field is left; what is wrong is shown beside each.
document.addEventListener("change", async (event) => {
  const form = event.target.form;
  if (!form || !form.dataset.checkAt || event.target.name === "example") return;
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(form.dataset.checkAt, { method: "POST", body, redirect: "error" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const mark of form.querySelectorAll("[data-check][id]")) {
    const newer = fresh.getElementById(mark.id);
    if (!newer) continue;
    mark.textContent = newer.textContent;
    const field = form.elements[mark.id.slice("wrong-".length)];
    if (field && field.toggleAttribute) {
      if (newer.textContent.trim()) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }
});
