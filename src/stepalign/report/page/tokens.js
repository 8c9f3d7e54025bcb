// Token maps: each token of a response coloured by its advantage under a context, and the same numbers as areas.
// One symmetric scale for all maps on the page; sign is shown by hue, by underline (solid, dotted) and by side of zero.
// A response is {tokens, token_steps, first_wrong_step, contexts: {name: {advantage}}}, all lists of one length.
// Where it is drawn by something else than A_t, the response says what: `measure`, of MEASURES, with the numbers as `advantage`.
const MEASURES = {
  advantage: { name: "A_t", unit: "nats", scales: ["5", "1", "2", "10"], low: "suppressed", high: "reinforced" },
  expected_advantage: { name: "Expected A_t", unit: "nats", scales: ["5", "1", "2", "10"], low: "the two disagree over all tokens: −KL(student || teacher)", high: "never above 0" },
  logit_push: { name: "Push on the logit", unit: "", scales: ["1", "0.1", "0.3"], low: "the loss lowers the token's logit", high: "the loss raises it" },
  gradient_share: { name: "Share of the gradient", unit: "%", scales: ["10", "1", "3", "30", "100"], low: "never below 0", high: "of all that the loss does to logits, behind clips and gates" },
};
const withUnit = (value, unit) => (unit ? `${value} ${unit}` : String(value));
const measureOf = (response) => response.measure ?? MEASURES.advantage;
const TOKENS = 3000; // shown at once; a button shows more

// The first token of the first wrong step, -1 where there is none.
function firstWrong(response) {
  return response.first_wrong_step ? response.token_steps.indexOf(response.first_wrong_step) : -1;
}

// `below`: second lines by token. The map is [body, button].
function tokenMap(response, advantages, label, scale, below) {
  const first = firstWrong(response);
  function token(i) {
    const value = advantages[i], text = response.tokens[i];
    const known = typeof value === "number";
    const share = known ? Math.min(1, Math.abs(value) / scale) : 0;
    const names = known ? [value < 0 ? "down" : "up", share >= 0.1 ? "signed" : "", i === first ? "first-wrong" : ""] : [];
    const span = el("span", { class: names.join(" ").trim() || null, "data-token": i }, text);
    span.style.setProperty("--a", Math.round(share * 100));
    if (!below.has(i)) return span;
    const line = el("rt", {}, below.get(i));
    return text.includes("\n") ? [el("ruby", {}, el("span"), line), span] : el("ruby", {}, span, line);
  }
  const body = el("div", { class: below.size ? "tokens lined" : "tokens", role: "region", tabindex: 0, "aria-label": label });
  return byPieces(body, response.tokens.length, TOKENS, token, (left) => `Show more: ${thousands(left)} tokens are left`);
}

// Areas over `count` places: at most two values a pixel, so that a hundred thousand tokens draw like a hundred.
function columns(advantages, width) {
  const places = Math.min(advantages.length, Math.max(1, 2 * Math.floor(width)));
  return Array.from({ length: places }, (_, place) => {
    const from = Math.floor((place * advantages.length) / places), to = Math.floor(((place + 1) * advantages.length) / places);
    const values = advantages.slice(from, to).filter((value) => typeof value === "number");
    return { from, high: Math.max(0, ...values), low: Math.min(0, ...values) };
  });
}

function drawAdvantages(host, response, advantages, label, scale, width) {
  const height = 150, left = 34, right = 6, top = 8, bottom = 26;
  const count = advantages.length || 1;
  const bar = (width - left - right) / count;
  const middle = top + (height - top - bottom) / 2;
  const x = (i) => left + i * bar;
  const y = (value) => middle - (Math.max(-scale, Math.min(scale, value)) / scale) * (middle - top);
  const places = columns(advantages, width - left - right);
  const area = (value) => `M${left} ${middle}` + places.map((place, n) => {
    const level = y(value(place)).toFixed(1), end = n + 1 < places.length ? places[n + 1].from : count;
    return `L${x(place.from).toFixed(1)} ${level}L${x(end).toFixed(1)} ${level}`;
  }).join("") + `L${width - right} ${middle}Z`;
  const beyond = places.flatMap((place) => [place.high, place.low].filter((value) => Math.abs(value) > scale).map((value) => {
    const at = x(place.from + 0.5), edge = value > 0 ? top - 6 : height - bottom + 6, tip = value > 0 ? -5 : 5;
    return svg("path", { class: "clip", d: `M${at - 3} ${edge - tip}h6L${at} ${edge}z` }, svg("title", {}, withUnit(signed(value), measureOf(response).unit)));
  }));
  let free = 0;
  const steps = response.token_steps.flatMap((step, i) => {
    if (step === null || step === response.token_steps[i - 1] || x(i) < free) return [];
    free = x(i) + 16;
    return [svg("text", { x: x(i), y: height - 8 }, String(step))];
  });
  const first = firstWrong(response);
  host.replaceChildren(
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "data-advantages": true, "aria-label": `${label}: ${measureOf(response).name} over token position; the values are in the table that follows` },
      svg("g", { class: "axis" }, [scale, 0, -scale].map((v) => [
        svg("line", { class: v ? null : "zero", x1: left, x2: width - right, y1: y(v), y2: y(v) }),
        svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, v ? `${v < 0 ? "−" : "+"}${scale}` : "0")]),
        svg("text", { x: left - 6, y: height - 8, "text-anchor": "end" }, "step"), steps),
      svg("path", { class: "area-up", d: area((place) => place.high) }), svg("path", { class: "area-down", d: area((place) => place.low) }), beyond,
      first < 0 ? null : svg("line", { class: "dash", x1: x(first), x2: x(first), y1: top, y2: height - bottom }, svg("title", {}, "first wrong step"))));
}

// The same numbers as a table, and as files: one row a token, one column a context. A token in a file is written as JSON,
// which keeps its spaces and can be no formula.
function tokenTable(response, label, scale) {
  const names = Object.keys(response.contexts);
  const values = (i) => names.map((name) => response.contexts[name].advantage[i]);
  const csv = () => [["token", "text", "step", ...names], response.tokens.map((token, i) => [i, JSON.stringify(token), response.token_steps[i] ?? "", ...values(i).map((value) => value ?? "")])];
  const pictures = (host) => names.flatMap((name, n) => [
    [`Tokens under ${name}`, () => tokenPicture(response, name, scale)],
    [`${measureOf(response).name} over position under ${name}`, () => host.parentElement.querySelectorAll("svg[data-advantages]")[n]]]);
  const details = tableBehind(label, ["token", "step", ...names], () => response.tokens.map((token, i) => [JSON.stringify(token), String(response.token_steps[i] ?? ""),
    ...values(i).map((value) => (typeof value === "number" ? signed(value) : ""))]), { csv, pictures: () => pictures(details) });
  return details;
}

// The first scale of a measure is the one that it begins with.
function scaleControl(onchange, { unit, scales } = MEASURES.advantage) {
  const ordered = [...scales].sort((a, b) => a - b);
  return dropdown("Scale", ordered.map((value) => [value, withUnit(`±${value}`, unit)]), scales[0], (value) => onchange(Number(value)));
}

function scaleLegend(scale, { unit, low, high } = MEASURES.advantage) {
  return [
    el("span", {}, `${withUnit(`−${scale}`, unit)}, ${low}, `, el("span", { class: "down signed" }, "dotted line")),
    el("i", { "aria-hidden": "true" }),
    el("span", {}, `${withUnit(`+${scale}`, unit)}, ${high}, `, el("span", { class: "up signed" }, "solid line"),
      ". Underlined from a tenth of the scale on; triangles mark what lies beyond it.")];
}
