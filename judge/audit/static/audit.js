// What every audit page has: sending, the sheet of keys, steps through a list. It builds no markup: whatever is text stays text.
// A form with data-sends=ADDRESS is sent as JSON and goes on to the answer's `next`; data-number marks numbers, and Ctrl+Enter
// commits a form with data-commits.

export const all = (selector, within = document) => [...within.querySelectorAll(selector)];
export const one = (selector, within = document) => within.querySelector(selector);

export async function ask(address, body) {
  const sent = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    keepalive: JSON.stringify(body).length < 60000, // so that what was typed last survives the closing of the tab
  };
  let answer;
  try { answer = await fetch(address, sent); }
  catch { throw new Error("The page is not answering. Is judge audit still running?"); }
  let said = {};
  try { said = await answer.json(); } catch { said = {}; }
  if (!answer.ok) throw new Error(said.error || "This was refused; open a new link from the terminal.");
  return said;
}

export function complain(form, error) {
  const place = one(".error", form);
  place.textContent = error ? error.message : "";
  place.hidden = !error;
  if (error) place.scrollIntoView({ block: "nearest" });
}

// A word to the person, at the foot of the page, read out by screen readers.
let telling = 0;
export function tell(text) {
  one("#told").textContent = text;
  clearTimeout(telling);
  telling = setTimeout(() => { one("#told").textContent = ""; }, 6000);
}

// A word for the page that comes next: what was done here has taken the person there.
const LATER = "judge-audit told";
export const tellThere = (text) => sessionStorage.setItem(LATER, text);
if (sessionStorage.getItem(LATER)) {
  tell(sessionStorage.getItem(LATER));
  sessionStorage.removeItem(LATER);
}

// Forms that only send what they hold and go on to where the answer says.
// What other scripts add to a form's fields, by form.
export const added = new Map();
all("form[data-sends]").forEach((form) => form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = {};
  for (const [name, value] of new FormData(form)) given[name] = value;
  for (const box of all("input[type=checkbox]", form)) given[box.name] = box.checked;
  for (const box of all("[data-number]", form)) given[box.name] = box.value === "" ? null : Number(box.value);
  for (const [name, value] of Object.entries(given)) if (value === "") delete given[name];
  if (given.name) given.name = given.name.trim().toLowerCase();
  Object.assign(given, added.get(form)?.());
  try {
    const said = await ask(form.dataset.sends, given);
    if (form.dataset.says) tellThere(form.dataset.says);
    form.dispatchEvent(new Event("sent"));
    if (said.next === location.pathname) location.reload(); else location.assign(said.next);
  }
  catch (error) { complain(form, error); }
}));

const invite = one("#invite");
if (invite) {
  invite.addEventListener("click", async () => {
    try {
      one("#invited").textContent = (await ask("/invite", {})).link;
      one("#copy").hidden = !navigator.clipboard;
    } catch (error) { one("#invited").textContent = error.message; }
  });
  one("#copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(one("#invited").textContent);
      tell("Copied.");
    } catch { tell("It cannot be copied here; select it."); }
  });
}

const leaving = one("#sign-out");
if (leaving) {
  leaving.addEventListener("click", async () => {
    try {
      const said = await ask("/sign-out", {});
      sessionStorage.clear(); // nothing of this person is kept for the next one
      location.replace(said.next);
    } catch (error) { tell(error.message); }
  });
}

all("[data-opens]").forEach((button) => button.addEventListener("click", () => one(`#${button.dataset.opens}`).showModal()));
all("[data-closes]").forEach((button) => button.addEventListener("click", () => button.closest("dialog").close()));

export function follow(selector) {
  const link = one(selector);
  if (link) link.click();
}

export function step(items, by) {
  if (items.length === 0) return;
  const now = items.findIndex((item) => item.contains(document.activeElement));
  const next = items[Math.min(Math.max(now < 0 ? (by > 0 ? 0 : items.length - 1) : now + by, 0), items.length - 1)];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

// What a key does. Pages add theirs; none acts while somebody types.
export const keys = {
  j: () => step(all(".cases .row a"), 1),
  k: () => step(all(".cases .row a"), -1),
  n: () => follow("a[rel=next]"),
  p: () => follow("a[rel=prev]"),
  q: () => follow("a.brand"),
  "?": () => one("#keys").showModal(),
};
const typing = (element) => element.closest("textarea, select, dialog, input:not([type=radio], [type=checkbox])") !== null;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !one("dialog[open]")) {
    const form = event.target.closest("form[data-commits]") || all("form[data-commits]").find((item) => !item.hidden);
    if (form) {
      event.preventDefault();
      form.requestSubmit();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || one("dialog[open]")) return;
  if (Object.hasOwn(keys, event.key)) {
    event.preventDefault();
    keys[event.key](event);
  }
});
