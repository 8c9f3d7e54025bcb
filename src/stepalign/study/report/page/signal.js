// Token maps: each token of a rollout coloured by its advantage under each context, and the same numbers as a curve.
// One symmetric scale for all maps on the page; sign is shown by hue, by underline (solid, dotted) and by side of the curve.
const KINDS = { correct: "All steps correct", wrong_step: "One wrong step", wrong_approach: "Wrong approach" };
const SCALES = ["1", "2", "5", "10"];
const signal = { source: 0, scale: 5 };

function tokenMap(rollout, advantages, label) {
  const first = firstWrong(rollout);
  const spans = rollout.tokens.map((token, i) => {
    const value = advantages[i];
    if (typeof value !== "number") return el("span", { title: "no advantage" }, token);
    const share = Math.min(1, Math.abs(value) / signal.scale);
    const names = [value < 0 ? "down" : "up", share >= 0.1 ? "signed" : "", i === first ? "first-wrong" : ""];
    const step = rollout.token_steps[i] === null ? "outside the steps" : `step ${rollout.token_steps[i]}`;
    const span = el("span", { class: names.join(" ").trim(), title: `${signed(value)} nats, ${step}` }, token);
    span.style.setProperty("--a", Math.round(share * 100));
    return span;
  });
  return el("div", { class: "tokens", role: "region", tabindex: 0, "aria-label": label }, spans);
}

// The first token of the first wrong step, -1 where there is none.
function firstWrong(rollout) {
  return rollout.first_wrong_step ? rollout.token_steps.indexOf(rollout.first_wrong_step) : -1;
}

function drawAdvantages(host, rollout, advantages, label, width) {
  const height = 150, left = 34, right = 6, top = 8, bottom = 26;
  const count = advantages.length || 1;
  const bar = (width - left - right) / count;
  const middle = top + (height - top - bottom) / 2;
  const y = (value) => middle - (value / signal.scale) * (middle - top);
  const clamp = (value) => Math.max(-signal.scale, Math.min(signal.scale, value));
  const area = (side) => `M${left} ${middle}` + advantages.map((value, i) => {
    const level = y(clamp(side * (value ?? 0) > 0 ? value : 0)).toFixed(1);
    return `L${(left + i * bar).toFixed(1)} ${level}L${(left + (i + 1) * bar).toFixed(1)} ${level}`;
  }).join("") + `L${width - right} ${middle}Z`;
  const beyond = advantages.flatMap((value, i) => (Math.abs(value) > signal.scale ? [[i, value]] : [])).map(([i, value]) => {
    const at = left + (i + 0.5) * bar, edge = value > 0 ? top - 6 : height - bottom + 6, tip = value > 0 ? -5 : 5;
    return svg("path", { class: "clip", d: `M${at - 3} ${edge - tip}h6L${at} ${edge}z` }, svg("title", {}, `${signed(value)} nats`));
  });
  const starts = rollout.token_steps.flatMap((step, i) => (step !== null && step !== rollout.token_steps[i - 1] ? [[i, step]] : []));
  let free = 0;
  const steps = starts.flatMap(([i, step]) => {
    const at = left + i * bar;
    if (at < free) return [];
    free = at + 16;
    return [svg("text", { x: at, y: height - 8 }, String(step))];
  });
  const first = firstWrong(rollout);
  const dash = left + first * bar;
  host.replaceChildren(
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label}: advantage over token position; the values are in the table that follows` },
      svg("g", { class: "axis" }, [signal.scale, 0, -signal.scale].map((v) => [
        svg("line", { class: v ? null : "zero", x1: left, x2: width - right, y1: y(v), y2: y(v) }),
        svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, v ? `${v < 0 ? "−" : "+"}${signal.scale}` : "0")]),
        svg("text", { x: left - 6, y: height - 8, "text-anchor": "end" }, "step"), steps),
      svg("path", { class: "area-up", d: area(1) }), svg("path", { class: "area-down", d: area(-1) }), beyond,
      first < 0 ? null : svg("line", { class: "dash", x1: dash, x2: dash, y1: top, y2: height - bottom }, svg("title", {}, "first wrong step"))));
}

function probe(rollout) {
  const names = Object.keys(rollout.contexts);
  const maps = names.map((name) => {
    const advantages = rollout.contexts[name].advantage;
    const label = `${name}, ${KINDS[rollout.kind] ?? rollout.kind}`;
    const curve = drawnAtWidth(el("div"), (width) => drawAdvantages(curve, rollout, advantages, label, width));
    return el("figure", {}, el("figcaption", {}, `Context: ${name}`), tokenMap(rollout, advantages, label), curve);
  });
  const rows = () => rollout.tokens.map((token, i) => [JSON.stringify(token), String(rollout.token_steps[i] ?? ""),
    ...names.map((name) => { const value = rollout.contexts[name].advantage[i]; return typeof value === "number" ? signed(value) : ""; })]);
  const wrong = rollout.first_wrong_step ? `; first wrong step: ${rollout.first_wrong_step}, at the dashed line` : "";
  return el("div", { class: "probe" },
    el("h3", {}, KINDS[rollout.kind] ?? String(rollout.kind)),
    el("p", { class: "status" }, `Problem ${rollout.problem_id}${wrong}.`),
    el("div", { class: "maps" }, maps),
    tableBehind(`advantages, ${KINDS[rollout.kind] ?? rollout.kind}`, ["token", "step", ...names], rows));
}

function drawSignal() {
  const order = Object.keys(KINDS);
  const rollouts = [...data.signal[signal.source].rollouts].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  document.getElementById("signal-maps").replaceChildren(...rollouts.map(probe));
  document.querySelector(".scale").replaceChildren(
    el("span", {}, `−${signal.scale} nats, suppressed, `, el("span", { class: "down signed" }, "dotted line")),
    el("i", { "aria-hidden": "true" }),
    el("span", {}, `+${signal.scale} nats, reinforced, `, el("span", { class: "up signed" }, "solid line"),
      ". Underlined from a tenth of the scale on; triangles mark what lies beyond it."));
}

if (data.signal.length) {
  const sources = data.signal.map((entry, i) => [String(i), `${entry.condition}, seed ${entry.seed}`]);
  document.getElementById("signal-controls").append(
    sources.length > 1 ? dropdown("Probes of", sources, "0", (value) => { signal.source = Number(value); drawSignal(); }) : "",
    dropdown("Scale", SCALES.map((value) => [value, `±${value} nats`]), "5", (value) => { signal.scale = Number(value); drawSignal(); }),
    el("div", { class: "scale" }));
  drawSignal();
}
