// The page's data and how elements are made. Text is only ever set as text, never as HTML.
const data = JSON.parse(document.getElementById("data").textContent);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}
const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const signed = (value, digits = 2) => (Number(value.toFixed(digits)) < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
const thousands = (value) => value.toLocaleString("en-US");

function short(value) {
  const size = Math.abs(value);
  for (const [limit, unit, name] of [[1e9, 1e9, " G"], [1e6, 1e6, " M"], [1e4, 1e3, " k"]])
    if (size >= limit) return String(Number((value / unit).toPrecision(3))) + name;
  return String(Number(value.toPrecision(4)));
}

// Round numbers between two ends, about `count` of them.
function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  const first = Math.ceil(low / size - 1e-9);
  return Array.from({ length: Math.floor(high / size + 1e-9) - first + 1 }, (_, i) => (first + i) * size);
}

function radios(legend, name, options, chosen, onchange) {
  const inputs = options.map(([value, text]) =>
    el("label", {}, el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onchange(value) }), text));
  return el("fieldset", {}, el("legend", {}, legend), inputs);
}

function dropdown(label, options, chosen, onchange) {
  const items = options.map(([value, text]) => el("option", { value, selected: value === chosen }, text));
  return el("label", { class: "field" }, label, el("select", { onchange: (event) => onchange(event.target.value) }, items));
}

function scrollable(label, ...children) {
  return el("div", { class: "scroll", role: "region", "aria-label": label, tabindex: 0 }, children);
}

// `count` children of `body`, `size` at a time, the rest at a button's press: nothing is left out, and nothing stops the page.
function byPieces(body, count, size, child, words) {
  let at = 0;
  const more = el("button", { type: "button", onclick: show });
  function show() {
    const end = Math.min(count, at + size);
    for (; at < end; at++) body.append(...[child(at)].flat());
    more.textContent = words(count - at);
    more.hidden = at >= count;
  }
  show();
  return [body, more];
}

const PIECE = 20000; // characters

// Pieces of about PIECE characters that do not split a surrogate pair.
function cut(text) {
  const pieces = [];
  for (let at = 0, end; at < text.length; at = end) {
    end = at + PIECE;
    if (/[\ud800-\udbff]/.test(text[end - 1] ?? "")) end++;
    pieces.push(text.slice(at, end));
  }
  return pieces;
}

// A long text by pieces. A part is [text] or [text, wrap]; wrap makes an element of a piece.
function longText(label, parts) {
  const body = el("pre", { class: "text", role: "region", tabindex: 0, "aria-label": label });
  const pieces = parts.flatMap(([text, wrap]) => cut(text).map((piece) => [piece, wrap]));
  const more = el("button", { type: "button", onclick: show });
  function show() {
    let room = PIECE;
    while (pieces.length && room > 0) {
      const [text, wrap] = pieces.shift();
      room -= text.length;
      body.append(wrap ? wrap(text) : text);
    }
    more.textContent = `Show more of ${label.toLowerCase()}: ${thousands(pieces.reduce((n, [text]) => n + text.length, 0))} characters are left`;
    more.hidden = !pieces.length;
  }
  show();
  return el("figure", {}, el("figcaption", {}, label), body, more);
}

const ROWS = 2000;

// What lies behind a chart, built when it is first opened: its numbers as a table, rows() gives arrays of text, and as
// files to save. `files` has csv(): [head, rows], and pictures(): [name, () => svg element, legend] of each picture.
function tableBehind(label, head, rows, files) {
  const details = el("details", {}, el("summary", {}, `Table and files: ${label}`));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const texts = rows();
    const row = (i) => el("tr", {}, texts[i].map((text, n) => (n ? el("td", { class: "num" }, text) : el("th", { scope: "row" }, text))));
    const [body, more] = byPieces(el("tbody"), texts.length, ROWS, row, (left) => `Show more: ${thousands(left)} rows are left`);
    details.append(saveControls(label, files), scrollable(`Numbers: ${label}`, el("table", {},
      el("thead", {}, el("tr", {}, head.map((text, i) => el("th", { scope: "col", class: i ? "num" : null }, text)))), body)), more);
  });
  return details;
}

// Redraw when the width of `node` changes: charts are drawn at their true size, so that text keeps its own.
function drawnAtWidth(node, draw) {
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now && now !== width) draw((width = now));
  }).observe(node);
  return node;
}

// A condition's own dash and shape besides its colour: circle, square, triangle, diamond, cross, bar.
const DASHES = ["none", "7 3", "2 3", "9 3 2 3", "1 4", "12 4"];
const SHAPES = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-3.5-3.5h7v7h-7z", "M0-4.5L4.5 3.5h-9z", "M0-5L5 0L0 5L-5 0z", "M-4-1.5h8v3h-8z", "M-1.5-4.5h3v9h-3z"];
const style = (condition) => Math.max(0, data.conditions.indexOf(condition)) % SHAPES.length;
const point = (condition, x, y, title) =>
  svg("path", { class: "point", d: SHAPES[style(condition)], transform: `translate(${x} ${y})` }, title ? svg("title", {}, title) : null);

function key(condition) {
  const line = svg("path", { class: "line", d: "M0 6H30", "stroke-dasharray": DASHES[style(condition)] });
  return svg("svg", { viewBox: "0 0 30 12", class: `c${style(condition)}`, "aria-hidden": "true" }, line, point(condition, 15, 6));
}
for (const node of document.querySelectorAll(".key"))
  if (data.conditions.includes(node.dataset.condition)) node.append(key(node.dataset.condition));
