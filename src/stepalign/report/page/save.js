// What is on the page as files: a picture as SVG or PNG, as it looks now, numbers as CSV; saved, or copied as text.
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];
const SHARP = 2, MOST_PIXELS = 16000; // of a PNG: dots a pixel, and what a canvas can hold
const cssOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A picture that stands alone: with its size, its styles as attributes, paper behind it, and over it, where it is part of
// the page, its name and a legend: [text, colour, dash] of each entry.
function standalone([name, made, legend = []]) {
  const picture = made(), copy = picture.cloneNode(true);
  const [, , width, under] = picture.getAttribute("viewBox").split(" ").map(Number);
  const over = !picture.isConnected ? 0 : legend.length ? 44 : 24;
  if (picture.isConnected) {
    const copies = copy.querySelectorAll("*");
    picture.querySelectorAll("*").forEach((node, i) => {
      if (node.localName === "title") return;
      const style = getComputedStyle(node);
      for (const property of STYLES) copies[i].setAttribute(property, style.getPropertyValue(property));
      copies[i].removeAttribute("class");
    });
  }
  const words = { "font-family": "sans-serif", "font-size": 12, fill: cssOf("--ink") };
  let x = 6;
  const entries = legend.map(([text, colour, dash]) => {
    const at = x;
    x += 42 + 7 * text.length;
    return [svg("line", { x1: at, x2: at + 24, y1: 34, y2: 34, stroke: colour, "stroke-width": 2, "stroke-dasharray": dash }), svg("text", { ...words, x: at + 30, y: 38 }, text)];
  });
  const height = under + over;
  const whole = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height },
    svg("rect", { width, height, fill: cssOf("--paper") }),
    over ? svg("text", { ...words, "font-weight": 600, x: 6, y: 16 }, name) : null, entries,
    svg("g", { transform: `translate(0 ${over})` }, [...copy.childNodes]));
  return { width, height, text: new XMLSerializer().serializeToString(whole) };
}

function asPng({ width, height, text }) {
  const scale = Math.min(SHARP, MOST_PIXELS / Math.max(width, height));
  const canvas = el("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
  const image = new Image();
  return new Promise((done, fail) => {
    image.onerror = () => fail(new Error("this picture cannot be drawn"));
    image.onload = () => {
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("this picture is too large"))), "image/png");
    };
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  });
}

function asCsv([head, rows]) {
  const cell = (value) => (/[",\n\r]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function download(name, blob) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = el("textarea", { readonly: true }, text);
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("this browser does not let a page copy");
}

const fileName = (label, kind) => `${label.replace(/[^\p{L}\p{N}@_-]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 80) || "picture"}.${kind}`;

function saveControls(label, { csv, pictures }) {
  const shown = pictures();
  let chosen = 0;
  const said = el("span", { role: "status" });
  const button = (text, action) => el("button", { type: "button", onclick: async () => {
    try {
      said.textContent = (await action()) ?? "";
    } catch (error) {
      said.textContent = `Not done: ${error.message}.`;
    }
  } }, text);
  const picture = () => standalone(shown[chosen]);
  const numbers = () => asCsv(csv());
  return el("div", { class: "save" },
    shown.length > 1 ? dropdown("Picture", shown.map(([name], i) => [String(i), name]), "0", (value) => { chosen = Number(value); }) : null,
    button("Save SVG", () => download(fileName(shown[chosen][0], "svg"), new Blob([picture().text], { type: "image/svg+xml" }))),
    button("Save PNG", async () => download(fileName(shown[chosen][0], "png"), await asPng(picture()))),
    button("Copy SVG", async () => { await copyText(picture().text); return "SVG copied."; }),
    button("Save CSV", () => download(fileName(label, "csv"), new Blob([numbers()], { type: "text/csv" }))),
    button("Copy CSV", async () => { await copyText(numbers()); return "CSV copied."; }), said);
}

// A token map as a picture: monospaced text on a grid, lines broken between words, a line break shown as "↵".
const GRID = { columns: 96, advance: 7.2, line: 22, size: 12, margin: 12 };
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const columnsOf = (text) => [...text].reduce((sum, character) => sum + (WIDE.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1), 0);

// Parts of tokens by place: {token, line, column, text}. A word that does not fit begins the next line; a longer one is cut.
function layOut(tokens) {
  const words = [[]];
  tokens.forEach((token, i) => {
    for (const part of token.replace(/\t/g, "    ").match(/\n|[^\n\s]+|[^\n\S]+/g) ?? []) {
      if (/^\s/.test(part)) words.push([]);
      words.at(-1).push([i, part]);
      if (/^\s/.test(part)) words.push([]);
    }
  });
  const places = [];
  let line = 0, column = 0;
  for (const word of words) {
    const size = word.reduce((sum, [, text]) => sum + columnsOf(text), 0);
    if (column && column + size > GRID.columns) [line, column] = [line + 1, 0];
    for (const [token, text] of word) {
      for (const part of cutAt(text.replace("\n", "↵"), GRID.columns)) {
        if (column && column + columnsOf(part) > GRID.columns) [line, column] = [line + 1, 0];
        places.push({ token, line, column, text: part });
        column += columnsOf(part);
      }
      if (text === "\n") [line, column] = [line + 1, 0];
    }
  }
  return places;
}

function cutAt(text, most) {
  const characters = [...text], parts = [];
  for (let at = 0; at < characters.length; at += most) parts.push(characters.slice(at, at + most).join(""));
  return parts;
}

function tokenPicture(response, name, scale) {
  const { columns, advance, line, size, margin } = GRID, { name: measure, unit, low, high } = measureOf(response);
  const places = layOut(response.tokens), { advantage } = response.contexts[name], first = firstWrong(response);
  const width = 2 * margin + columns * advance, height = 2 * margin + line * (3 + (places.at(-1)?.line ?? 0));
  const colour = { up: cssOf("--positive"), down: cssOf("--negative"), upLine: cssOf("--positive-line"), downLine: cssOf("--negative-line"), ink: cssOf("--ink"), soft: cssOf("--soft") };
  const text = (x, y, words, attributes = {}) => svg("text", { x, y, "font-size": size, "font-family": "monospace", fill: colour.ink, "xml:space": "preserve", ...attributes }, words);
  const drawn = places.map(({ token, line: row, column, text: part }) => {
    const value = advantage[token], share = typeof value === "number" ? Math.min(1, Math.abs(value) / scale) : 0;
    const x = margin + column * advance, y = margin + (row + 1) * line, long = columnsOf(part) * advance, up = value > 0;
    return svg("g", {},
      svg("rect", { x, y: y + 3, width: long, height: line - 5, fill: up ? colour.up : colour.down, "fill-opacity": share.toFixed(2) }),
      share >= 0.1 ? svg("line", { x1: x, x2: x + long, y1: y + line - 4, y2: y + line - 4, stroke: up ? colour.upLine : colour.downLine, "stroke-width": 1.5, "stroke-dasharray": up ? null : "2 2" }) : null,
      part.trim() ? text(x, y + 14, part, { textLength: long, lengthAdjust: "spacingAndGlyphs" }) : null);
  });
  const mark = places.find(({ token }) => token === first);
  return svg("svg", { viewBox: `0 0 ${width} ${height}` },
    text(margin, margin + 12, `Context: ${name}`, { "font-weight": "600", "font-family": "sans-serif" }), drawn,
    mark ? svg("line", { x1: margin + mark.column * advance, x2: margin + mark.column * advance, y1: margin + (mark.line + 1) * line + 1, y2: margin + (mark.line + 2) * line, stroke: colour.ink, "stroke-width": 2 }) : null,
    text(margin, height - margin, `${measure}${unit && ` in ${unit}`}: −${scale} ${low}, dotted line; +${scale} ${high}, solid line.`, { fill: colour.soft, "font-family": "sans-serif", "font-size": 11 }));
}
