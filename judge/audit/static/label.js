// The forms beside a transcript: a label or a blind review with its draft, a dispute, a decision. Words are marked in the
// transcript.
import { added, all, ask, complain, keys, one, tell, tellThere } from "./audit.js";
import { rangesIn } from "./transcript.js";

const form = one("#label");
const dispute = one("#dispute");
const draft = form && `/case/${form.dataset.case}/draft`;
const ruling = one("#ruling");
const marked = new Map([[form, []], [dispute, []], [ruling, []]]);
const open = () => (dispute && !dispute.hidden ? dispute : ruling || form);

// Marked words: a list in the form that asked for them, drawn in the transcript as well.
function showEvidence(of) {
  const list = one(".evidence", of);
  list.replaceChildren(...marked.get(of).map((item, index) => {
    const row = document.createElement("li");
    const words = document.createElement("a");
    const drop = document.createElement("button");
    const turn = Number((/^m([0-9]+)[.]/.exec(item.part) || [0, 1])[1]); // m12.3 stands in turn 12
    words.textContent = item.quote;
    words.href = `#t${turn}`;
    words.dataset.turn = String(turn);
    words.dataset.words = item.part;
    drop.type = "button";
    drop.textContent = "Remove";
    drop.setAttribute("aria-label", `Remove evidence ${index + 1}`);
    drop.addEventListener("click", () => {
      marked.get(of).splice(index, 1);
      changed(of);
      (one("button", list) || one(".mark", of)).focus();
    });
    row.append(words, drop);
    return row;
  }));
  draw();
}
function draw() {
  if (!("highlights" in CSS)) return;
  const found = [...marked.values()].flat().flatMap((item) => {
    const part = one(`pre[data-part="${CSS.escape(item.part)}"]`);
    return part ? rangesIn(part, item.quote).slice(0, 1) : [];
  });
  CSS.highlights.set("mine", new Highlight(...found));
}
document.addEventListener("turns", draw);

const partOf = (node) => (node && (node.nodeType === 1 ? node : node.parentElement)?.closest("pre[data-part]")) || null;
function mark() {
  const of = open();
  if (!of) return;
  const selection = getSelection();
  const part = partOf(selection.anchorNode);
  const quote = selection.toString().trim();
  if (!quote) { choose(); return; }
  if (!part || part !== partOf(selection.focusNode)) {
    tell("Select words inside one message.");
    return;
  }
  choosing = false;
  if (!marked.get(of).some((item) => item.part === part.dataset.part && item.quote === quote)) {
    marked.get(of).push({ part: part.dataset.part, quote });
  }
  selection.removeAllRanges();
  changed(of);
  tell("Marked as evidence.");
}

// Without a mouse: the arrow keys move a selection of words through the turn, with Shift they widen it.
let choosing = false;
function choose() {
  const turn = document.activeElement.closest(".turn");
  const part = turn && one("pre", turn);
  if (!part || !getSelection().modify) {
    tell(turn ? "There are no words in this turn." : "Go to a turn with j and k, or select words, then press e.");
    return;
  }
  for (const item of all("details", turn)) item.open = true;
  getSelection().collapse(part, 0);
  getSelection().modify("extend", "forward", "word");
  choosing = true;
  tell("Arrow keys move, Shift and arrow keys widen, e marks, Escape leaves.");
}
const MOVES = { ArrowRight: ["forward", "word"], ArrowLeft: ["backward", "word"], ArrowDown: ["forward", "line"], ArrowUp: ["backward", "line"] };
document.addEventListener("keydown", (event) => {
  if (!choosing || event.ctrlKey || event.metaKey || event.altKey) return;
  const selection = getSelection();
  if (event.key === "Escape") {
    choosing = false;
    selection.removeAllRanges();
    tell("");
  } else if (Object.hasOwn(MOVES, event.key)) {
    event.preventDefault();
    if (event.shiftKey) selection.modify("extend", ...MOVES[event.key]);
    else {
      if (MOVES[event.key][0] === "forward" && MOVES[event.key][1] === "word") selection.collapseToEnd();
      else {
        selection.collapseToStart();
        selection.modify("move", ...MOVES[event.key]);
      }
      selection.modify("extend", "forward", "word");
    }
    const at = partOf(selection.focusNode);
    if (at) selection.focusNode.parentElement.scrollIntoView({ block: "nearest" });
  }
});

// The label form: what it holds, its draft on the server, and the way back through its changes.
let seconds = 0;
const past = [];
let last = "";
function read() {
  const given = new FormData(form);
  const number = (name) => (given.get(name) === null ? null : Number(given.get(name)));
  const answers = {};
  for (const [name, value] of given) if (name.startsWith("criterion ")) answers[name.slice(10)] = value;
  return {
    level: given.get("level"), answers, severity: number("severity"), confidence: number("confidence"),
    rationale: given.get("rationale"), evidence: marked.get(form), seconds,
  };
}
function write(held) {
  const chosen = { ...held, ...Object.fromEntries(Object.entries(held.answers || {}).map(([name, met]) => [`criterion ${name}`, met])) };
  for (const input of all("input[type=radio]", form)) {
    input.checked = chosen[input.name] !== null && chosen[input.name] !== undefined && input.value === String(chosen[input.name]);
  }
  form.elements.rationale.value = held.rationale || "";
  marked.set(form, [...(held.evidence || [])]);
  showEvidence(form);
}
function changed(of) {
  if (of === form) {
    past.push(last);
    last = JSON.stringify(read());
    save(0);
  } else keep(of);
  showEvidence(of);
  complain(of, null);
}
let soon = 0;
let saved = Promise.resolve();
let done = false;
function save(after) {
  clearTimeout(soon);
  soon = setTimeout(() => {
    soon = 0;
    const held = read();
    saved = saved.then(() => ask(draft, held)).then(
      () => { one("#kept").textContent = "Draft kept."; },
      (error) => { one("#kept").textContent = `The draft is not kept: ${error.message}`; },
    );
  }, after);
}
function undo() {
  if (form && past.length > 0) {
    last = past.pop();
    write(JSON.parse(last));
    save(0);
    complain(form, null);
    tell("Undone.");
    return;
  }
  const button = one("#undo");
  if (button) button.click();
  else tell("There is nothing to undo.");
}

if (form) {
  one(".mark", form).addEventListener("mousedown", (event) => event.preventDefault());
  one(".mark", form).addEventListener("click", mark);
  form.addEventListener("change", () => changed(form));
  form.addEventListener("input", (event) => { if (event.target.tagName === "TEXTAREA") save(400); });
  addEventListener("pagehide", () => { if (soon && !done) ask(draft, read()).catch(() => {}); });
  setInterval(() => { if (!document.hidden) seconds += 1; }, 1000);
  resume();
}
async function resume() {
  last = JSON.stringify(read());
  try {
    const held = (await ask(draft)).draft;
    if (held && past.length === 0) {
      write(held);
      seconds = held.seconds || 0;
      last = JSON.stringify(read());
      one("#kept").textContent = "Your draft is back.";
    }
  } catch (error) { one("#kept").textContent = error.message; }
  form.dataset.ready = "yes";
}
if (form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (done) return;
    done = true;
    clearTimeout(soon);
    await saved; // a draft that is still on its way must not arrive after the label
    try {
      const said = await ask(form.dataset.action, read());
      tellThere("Committed.");
      location.assign(said.next);
    }
    catch (error) { done = false; complain(form, error); }
  });
}

const back = one("#undo");
if (back) {
  back.addEventListener("click", async () => {
    try {
      const said = await ask(`/case/${back.dataset.case}/undo`, {});
      tellThere("The label is withdrawn.");
      location.assign(said.next);
      location.reload();
    }
    catch (error) { tell(error.message); }
  });
}

// A dispute: about the vote that is open, with the words that are selected.
function startDispute(number) {
  if (!dispute) { tell("There is no verdict here to dispute."); return; }
  const vote = number || one(".vote[open]")?.id.slice(1);
  const choice = vote && one(`#about option[data-vote="${vote}"]`, dispute);
  if (choice) choice.selected = true;
  dispute.hidden = false;
  if (getSelection().toString().trim()) mark();
  dispute.scrollIntoView({ block: "nearest" });
  one("textarea", dispute).focus();
}

// What stands in a dispute or a decision is kept in this tab, until it is sent.
const place = (of) => `judge-audit ${of.id} ${location.pathname}`;
function keep(of) {
  sessionStorage.setItem(place(of), JSON.stringify({ ...Object.fromEntries(new FormData(of)), evidence: marked.get(of) }));
}
function restore(of) {
  const held = JSON.parse(sessionStorage.getItem(place(of)) || "null");
  of.addEventListener("input", () => keep(of));
  one(".mark", of).addEventListener("mousedown", (event) => event.preventDefault());
  one(".mark", of).addEventListener("click", mark);
  if (!held) return;
  for (const input of of.elements) {
    if (!input.name || held[input.name] === undefined) continue;
    if (["radio", "checkbox"].includes(input.type)) input.checked = input.value === held[input.name];
    else input.value = held[input.name];
  }
  marked.set(of, held.evidence);
  showEvidence(of);
}
if (ruling) {
  restore(ruling);
  added.set(ruling, () => ({ evidence: marked.get(ruling) }));
  ruling.addEventListener("sent", () => sessionStorage.removeItem(place(ruling)));
}
if (dispute) {
  restore(dispute);
  all("[data-disputes]").forEach((button) => button.addEventListener("click", () => startDispute(button.dataset.disputes)));
  one(".cancel", dispute).addEventListener("click", () => {
    dispute.hidden = true;
    one(".vote[open] > summary, .vote > summary").focus();
  });
  dispute.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = new FormData(dispute);
    // Pages show invisible characters in words; an id may hold some.
    const id = given.get("verdict_id").replace(/\\u\{([0-9a-f]{1,6})\}/g, (_, code) => String.fromCodePoint(parseInt(code, 16)));
    const sent = { verdict_id: id, claim: given.get("claim") };
    if (given.get("criterion")) sent.criterion = given.get("criterion");
    if (given.get("level")) sent.level = given.get("level");
    sent.evidence = marked.get(dispute);
    try {
      const said = await ask(`/case/${dispute.dataset.case}/dispute`, sent);
      sessionStorage.removeItem(place(dispute));
      tellThere("The dispute is open.");
      location.assign(said.next);
    } catch (error) { complain(dispute, error); }
  });
}

function pick(input) {
  if (!input) return;
  input.checked = true;
  input.scrollIntoView({ block: "nearest" });
  changed(input.form);
  tell(one("span", input.closest("label")).textContent);
}
const answers = form || ruling;
Object.assign(keys, {
  e: mark,
  u: undo,
  d: () => startDispute(),
  c: () => answers && pick(one("[data-unsure]", answers)),
  l: () => answers && (one("[name=level]:checked", answers) || one("input", answers)).focus(),
});
for (let number = 1; number <= 9; number += 1) keys[number] = () => answers && pick(all("[name=level]", answers)[number - 1]);
