// What is wrong with how this page looks, in words: text that is hard to read, short words that are broken for want of room, what
// sticks out at the side, nameless controls.
const problems = [];
const parse = (text) => {
  const found = text.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
  return found ? [...found.slice(1, 4).map(Number), found[4] === undefined ? 1 : Number(found[4])] : null;
};
const over = (top, below) => below.map((value, n) => (n < 3 ? top[n] * top[3] + value * (1 - top[3]) : 1));
const sheet = () => [...parse(getComputedStyle(document.body).backgroundColor).slice(0, 3), 1];

// The colour behind an element: what its ancestors paint, from the outermost on.
function behind(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((below, layer) => (layer && layer[3] > 0 ? over(layer, below) : below), sheet());
}
function opacity(element) {
  let share = 1;
  for (let at = element; at; at = at.parentElement) share *= Number(getComputedStyle(at).opacity);
  return share;
}
// Relative luminance and contrast as WCAG 2.2 defines them.
const light = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, two) => {
  const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const name = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") || element.id || ""}`;

function check(element, text, colour, size, weight) {
  const ground = behind(element);
  const ink = parse(colour);
  if (!ink) { problems.push(`colour not understood: ${colour} in ${name(element)}`); return; }
  ink[3] *= opacity(element);
  const least = size >= 24 || (size >= 18.66 && weight >= 700) ? 3 : 4.5;
  const found = contrast(over(ink, ground), ground);
  if (found < least) problems.push(`contrast ${found.toFixed(2)} below ${least}: ${name(element)} ${JSON.stringify(text.trim().slice(0, 40))}`);
}

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let texts = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, style, noscript, option")) continue;
  texts += 1;
  const words = walker.currentNode.data.trim();
  if (/^\p{L}{2,12}$/u.test(words)) {
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) problems.push(`a short word is broken: ${name(element)} ${words}`);
  }
  const style = getComputedStyle(element);
  check(element, walker.currentNode.data, element.closest("svg") ? style.fill : style.color, parseFloat(style.fontSize), Number(style.fontWeight));
}
for (const field of document.querySelectorAll("[placeholder]")) {
  const style = getComputedStyle(field, "::placeholder");
  if (field.checkVisibility()) check(field, field.placeholder, style.color, parseFloat(style.fontSize), Number(style.fontWeight));
}
if (texts === 0) problems.push("there is no text on this page");

const wide = document.documentElement.scrollWidth;
if (wide > innerWidth) {
  const out = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1);
  problems.push(`sticks out at the side, ${wide} in ${innerWidth}: ${out.slice(0, 4).map(name).join(", ")}`);
}

const labels = (e) => e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join("")
  || [...(e.labels || [])].map((label) => label.textContent).join("") || (["INPUT", "SELECT", "TEXTAREA", "PROGRESS"].includes(e.tagName) ? "" : e.textContent);
for (const control of document.querySelectorAll("a[href], button, input, select, textarea, summary, progress, dialog, nav, [role=region], [role=search]:not(form)")) {
  if (control.checkVisibility() && !labels(control).trim()) problems.push(`no name: ${control.outerHTML.slice(0, 80)}`);
}
return problems;
