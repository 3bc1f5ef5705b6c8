// The transcript on a case page: fetched stretch by stretch, stepped through, searched, and drawn small at its side.
import { all, ask, keys, one, step, tell } from "./audit.js";

const main = one("#main");
const total = Number(main.dataset.total || 0);
const here = `/case/${main.dataset.case}`;
const chunks = all(".chunk");
const LINE = 23; // pixels, about; corrected as stretches arrive

for (const chunk of chunks) {
  if (chunk.dataset.lines) chunk.style.height = `${Number(chunk.dataset.lines) * LINE}px`;
}

const coming = new Map();
function load(chunk) {
  if (!chunk || !chunk.dataset.first) return Promise.resolve();
  if (!coming.has(chunk)) {
    coming.set(chunk, fetch(`${here}/turns?from=${chunk.dataset.first}`).then(async (answer) => {
      if (!answer.ok) throw new Error("These turns cannot be read.");
      // Parsed apart from the page, where nothing runs and nothing is fetched, and escaped by the server as the page was.
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      chunk.replaceChildren(...page.body.childNodes);
      chunk.style.height = "";
      delete chunk.dataset.first;
      paint();
      document.dispatchEvent(new Event("turns"));
    }).catch((error) => {
      coming.delete(chunk);
      tell(error instanceof TypeError ? "The page is not answering. Is judge audit still running?" : error.message);
    }));
  }
  return coming.get(chunk);
}

const near = new IntersectionObserver((seen) => {
  for (const entry of seen) if (entry.isIntersecting) load(entry.target);
}, { rootMargin: "1200px 0px" });
for (const chunk of chunks) if (chunk.dataset.first) near.observe(chunk);

const chunkOf = (number) => chunks.find((chunk) => chunk.dataset.first && number >= Number(chunk.dataset.first) && number <= Number(chunk.dataset.last));

async function turn(number) {
  if (!one(`#t${number}`)) await load(chunkOf(number));
  return one(`#t${number}`);
}

function unfold(target) {
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
}

// Stretches above arrive while we jump, so the place is looked up again once they are drawn.
function settle(target, block) {
  target.scrollIntoView({ block });
  requestAnimationFrame(() => target.scrollIntoView({ block }));
}

async function show(number, inner) {
  const article = await turn(number);
  if (!article) return null;
  const target = (inner && inner(article)) || article;
  unfold(target);
  article.focus({ preventScroll: true });
  settle(target, target === article ? "start" : "center");
  return article;
}

// Where words stand in a part, as ranges. What is masked parts the text before it from the text after it.
export function rangesIn(part, needle, flags = "gu") {
  const pattern = new RegExp(needle.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), flags);
  const nodes = [];
  let text = "";
  const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    nodes.push([node, text.length]);
    text += node.parentElement.closest(".masked") ? "\n".repeat(node.data.length) : node.data;
  }
  const border = (at, end) => {
    const [node, start] = nodes.findLast(([, from]) => (end ? from < at : from <= at));
    return [node, at - start];
  };
  return [...text.matchAll(pattern)].map((match) => {
    const range = new Range();
    range.setStart(...border(match.index, false));
    range.setEnd(...border(match.index + match[0].length, true));
    return range;
  });
}

// Quotes are links in the panel that know their turn: whatever is not fetched yet can still be gone to.
// Those of the vote that is open, or of every vote where that one has none, those of claim, second look and decision, and
// what was marked in a form.
function quotes() {
  const open = all(".vote[open] blockquote a[data-turn], .panel > section blockquote a[data-turn], .evidence a[data-turn]");
  return open.length ? open : all(".vote blockquote a[data-turn]");
}
function order(links) {
  return links.map((link) => [Number(link.dataset.turn), link]).sort((a, b) => a[0] - b[0]).map(([, link]) => link);
}
let quoted = -1;
function stepEvidence(by) {
  const links = order(quotes());
  if (links.length === 0) { tell("There is no evidence here to go to."); return; }
  quoted = quoted < 0 && by < 0 ? links.length - 1 : (quoted + by + links.length) % links.length;
  goTo(links[quoted]);
  tell(`Evidence ${quoted + 1} of ${links.length}`);
}
async function goTo(link) {
  const name = link.hash.slice(1);
  unfold(link);
  await show(Number(link.dataset.turn), (article) => one(`[id="${name}"]`, article));
  all(".at").forEach((mark) => mark.classList.remove("at"));
  const anchor = document.getElementById(name);
  let mark = anchor;
  while (mark && mark.tagName !== "MARK") mark = mark.nextElementSibling; // several quotes may begin here
  if (mark) mark.classList.add("at");
  // What a person quoted has no mark of its own: it is looked up where it stands.
  const part = link.dataset.words && one(`pre[data-part="${CSS.escape(link.dataset.words)}"]`);
  if (part && paints) CSS.highlights.set("here", new Highlight(...rangesIn(part, link.textContent).slice(0, 1)));
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-turn]");
  if (!link) return;
  event.preventDefault();
  history.replaceState(null, "", link.hash);
  goTo(link);
});

async function arrive() {
  const name = location.hash.slice(1);
  const number = /^t([0-9]{1,6})$/.exec(name);
  if (number) { await show(Number(number[1])); return; }
  const link = /^q[0-9-]+$/.test(name) && one(`a[href="#${name}"]`);
  if (link) { unfold(link); await goTo(link); return; }
  const target = /^[a-z][a-z0-9-]*$/.test(name) && name !== "main" && document.getElementById(name);
  if (target) {
    unfold(target);
    target.scrollIntoView({ block: name === "panel" ? "start" : "nearest" });
    (one("summary", target) || target).focus({ preventScroll: true });
  }
}
window.addEventListener("hashchange", arrive);
arrive();

// Steps: the next turn may stand in a stretch that is not here yet.
function current() {
  const held = document.activeElement && document.activeElement.closest(".turn");
  return held ? Number(held.id.slice(1)) : 0;
}
async function stepTurn(by) {
  const now = current();
  const next = now ? now + by : (by > 0 ? topmost() : total);
  if (next < 1 || next > total) return;
  const article = await turn(next);
  if (!article) return;
  article.focus({ preventScroll: true });
  article.scrollIntoView({ block: "nearest" });
  load(chunkOf(next + 10));
  load(chunkOf(Math.max(next - 10, 1)));
}
const bar = one(".bar");
const below = () => Math.max(0, bar.getBoundingClientRect().bottom);
function topmost() {
  const seen = all(".turn").find((article) => article.getBoundingClientRect().bottom > below() + 8);
  return seen ? Number(seen.id.slice(1)) : 1;
}

// The minimap: a row per turn, so that a place on it is a turn whatever the turns' heights are.
const map = one("#map");
let drawn = false;
function span() {
  const top = below();
  let first = 0;
  let last = 0;
  for (const chunk of chunks) {
    const box = chunk.getBoundingClientRect();
    if (box.bottom <= top) continue;
    if (box.top >= innerHeight) break;
    if (chunk.dataset.first) {
      const size = Number(chunk.dataset.last) - Number(chunk.dataset.first) + 1;
      const share = (y) => Number(chunk.dataset.first) + Math.floor(size * Math.min(Math.max((y - box.top) / box.height, 0), 0.999));
      first ||= share(top);
      last = share(innerHeight);
      continue;
    }
    for (const article of chunk.children) {
      const place = article.getBoundingClientRect();
      if (place.bottom <= top || place.top >= innerHeight || !article.id) continue;
      first ||= Number(article.id.slice(1));
      last = Number(article.id.slice(1));
    }
  }
  return [first || 1, last || total];
}
function paint() {
  if (!map || drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    const [first, last] = span();
    const shown = one(".here", map);
    const least = total / 120;
    shown.setAttribute("y", String(Math.min(first - 1, total - least)));
    shown.setAttribute("height", String(Math.max(last - first + 1, least)));
    one("#turn").placeholder = String(first);
  });
}
addEventListener("scroll", paint, { passive: true });
addEventListener("resize", paint);
paint();
if (map) {
  map.addEventListener("click", (event) => {
    const box = map.getBoundingClientRect();
    show(Math.min(total, 1 + Math.floor(total * (event.clientY - box.top) / box.height)));
  });
}

// Search: the server says in which turns, the page marks where in them, without touching the text.
const words = one("#words");
const said = one("#found");
let hits = [];
let hit = -1;
let asked = "";
const paints = "highlights" in CSS;
const ranges = (article, needle) => all("pre", article).flatMap((part) => rangesIn(part, needle, "giu"));
async function find() {
  const needle = words.value;
  asked = needle;
  hits = [];
  hit = -1;
  if (paints) CSS.highlights.clear();
  if (!needle.trim()) { said.textContent = ""; return; }
  let answer;
  try { answer = await ask(`${here}/find?${new URLSearchParams({ words: needle })}`); }
  catch (error) { said.textContent = error.message; return; }
  if (asked !== needle) return;
  for (const [number, count] of answer.hits) for (let nth = 0; nth < count; nth += 1) hits.push([number, nth]);
  if (hits.length === 0) { said.textContent = "not found"; return; }
  const from = current() || topmost();
  hit = Math.max(0, hits.findIndex(([number]) => number >= from)) - 1;
  await stepHit(1, true);
}
async function stepHit(by, keep) {
  if (hits.length === 0) return;
  hit = (hit + by + hits.length) % hits.length;
  const [number, nth] = hits[hit];
  said.textContent = `${hit + 1} of ${hits.length}`;
  const held = document.activeElement;
  const article = await show(number);
  if (!article) return;
  const found = ranges(article, asked);
  const range = found[Math.min(nth, found.length - 1)];
  if (range) {
    unfold(range.startContainer.parentElement);
    if (paints) {
      CSS.highlights.set("found", new Highlight(...found));
      CSS.highlights.set("here", new Highlight(range));
    }
    range.startContainer.parentElement.scrollIntoView({ block: "nearest" });
    const box = range.getBoundingClientRect();
    if (box.top < below() || box.bottom > innerHeight) scrollBy(0, box.top - innerHeight / 2);
  }
  if (keep) held.focus({ preventScroll: true });
}
let waiting = 0;
words.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 200);
});
one("#find").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (words.value !== asked) { clearTimeout(waiting); await find(); } else await stepHit(1, true);
});
words.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); stepHit(-1, true); }
  if (event.key === "Escape") { event.preventDefault(); leave(); }
});
function leave() {
  words.value = "";
  find();
  const article = one(`#t${topmost()}`);
  if (article) article.focus({ preventScroll: true }); else words.blur();
}

one("#goto").addEventListener("submit", (event) => {
  event.preventDefault();
  const number = Number(one("#turn").value);
  one("#turn").value = "";
  if (number >= 1 && number <= total) show(number); else tell(`There are ${total} turns.`);
});

const searching = () => hits.length > 0 && asked === words.value;
const nextCase = keys.n;
const lastCase = keys.p;
Object.assign(keys, {
  j: () => stepTurn(1),
  k: () => stepTurn(-1),
  "]": () => stepEvidence(1),
  "[": () => stepEvidence(-1),
  "/": () => { words.focus(); words.select(); },
  g: () => { one("#turn").focus(); },
  o: () => all("details", document.activeElement.closest(".turn") || main).forEach((item) => { item.open = !item.open; }),
  v: () => step(all(".vote > summary"), 1),
  // While a search is on, n and N step through what was found, as in a pager.
  n: () => (searching() ? stepHit(1) : nextCase()),
  N: () => (searching() ? stepHit(-1) : undefined),
  p: () => lastCase(),
});

main.dataset.ready = "yes";
