// Curves of the metrics; every chart switches its horizontal axis between steps, generated tokens and wall time.
const AXES = [["step", "steps"], ["num_generated_tokens", "generated tokens"], ["wall_s", "wall time"]];
const HEIGHT = 220, LEFT = 46, RIGHT = 14, TOP = 12, BOTTOM = 38;
const SPLITS = ["test", "validation"].filter((split) => data.curves[split].some((series) => series.points.length));
const view = { axis: "step", split: SPLITS[0] ?? "test", metric: null };

const isShare = (metric) => ["accuracy", "share"].includes(data.metrics[metric]?.kind) || metric.endsWith("_rate");
const shown = (metric, value) => (isShare(metric) ? `${(100 * value).toFixed(1)} %` : short(value));

// Unit of the horizontal axis: its name, and what to divide the raw numbers by.
function unit(axis, high) {
  if (axis === "step") return ["steps", 1];
  if (axis === "num_generated_tokens") return high >= 2e6 ? ["generated tokens, millions", 1e6] : ["generated tokens, thousands", 1e3];
  return high >= 7200 ? ["wall time, hours", 3600] : high >= 120 ? ["wall time, minutes", 60] : ["wall time, seconds", 1];
}

// [x, y, interval, step] of each point that has the metric and the axis.
function pointsOf(series, metric) {
  return series.points
    .filter((p) => typeof p.values[metric] === "number" && typeof p[view.axis] === "number")
    .map((p) => ({ x: p[view.axis], y: p.values[metric], ci: p.ci95[metric], step: p.step }));
}

// The mean over seeds at each step that all seeds have.
function meanOf(seeds) {
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  return seeds[0].map((p) => seeds.map((points) => points.find((q) => q.step === p.step))).filter((group) => group.every(Boolean))
    .map((group) => ({ x: mean(group.map((p) => p.x)), y: mean(group.map((p) => p.y)), step: group[0].step }));
}

function range(metric, all) {
  if (data.accuracy.includes(metric)) return [0, 1];
  const values = all.flat().map((p) => p.y);
  const high = Math.max(...values), low = Math.min(...values);
  if (isShare(metric)) return [0, Math.max(0.05, high)];
  return low >= 0 && (high === 0 || low < high * 0.6) ? [0, high || 1] : low === high ? [low - 1, high + 1] : [low, high];
}

function drawChart(host, group, metric, width) {
  const byCondition = data.conditions
    .map((name) => ({ name, seeds: data.curves[group].filter((s) => s.condition === name).map((s) => pointsOf(s, metric)).filter((p) => p.length) }))
    .filter((condition) => condition.seeds.length);
  const label = `${metric} on ${group === "training" ? "training rollouts" : `${group} problems`}`;
  if (!byCondition.length) return host.replaceChildren(el("figcaption", {}, metric), el("p", { class: "status" }, "No values yet."));
  const all = byCondition.flatMap((condition) => condition.seeds);
  const highX = Math.max(...all.flat().map((p) => p.x), 0) || 1;
  const [axisName, divisor] = unit(view.axis, highX);
  const [lowY, highY] = range(metric, all);
  const x = (value) => LEFT + 8 + (value / highX) * (width - LEFT - RIGHT - 8);
  const y = (value) => HEIGHT - BOTTOM - ((value - lowY) / (highY - lowY)) * (HEIGHT - TOP - BOTTOM);
  const path = (points) => points.map((p, i) => `${i ? "L" : "M"}${x(p.x).toFixed(1)} ${y(p.y).toFixed(1)}`).join("");
  const grid = svg("g", { class: "axis" },
    ticks(lowY, highY, 4).map((v) => [svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(v), y2: y(v) }),
      svg("text", { x: LEFT - 9, y: y(v) + 4, "text-anchor": "end" }, isShare(metric) ? `${Number((100 * v).toFixed(2))}` : short(v))]),
    ticks(0, highX / divisor, Math.min(7, width / 60)).map((v) =>
      svg("text", { x: x(v * divisor), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, short(v))),
    svg("line", { class: "zero", x1: LEFT, x2: width - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }),
    svg("text", { x: width - RIGHT, y: HEIGHT - 5, "text-anchor": "end" }, axisName));
  const marks = byCondition.map(({ name, seeds }) => {
    const main = seeds.length > 1 ? meanOf(seeds) : seeds[0];
    const banded = seeds.length === 1 ? main.filter((p) => p.ci) : [];
    const edge = (points, side) => points.map((p) => `${x(p.x).toFixed(1)} ${y(p.ci[side]).toFixed(1)}`);
    const dash = DASHES[style(name)];
    return svg("g", { class: `c${style(name)}` },
      banded.length > 1 ? svg("path", { class: "band", d: `M${[...edge(banded, 1), ...edge(banded, 0).reverse()].join("L")}Z` }) : null,
      seeds.length > 1 ? seeds.map((points) => svg("path", { class: "line thin", d: path(points) })) : [],
      svg("path", { class: "line", d: path(main), "stroke-dasharray": dash }),
      main.length > 40 ? [] : main.map((p) => point(name, x(p.x), y(p.y), `${name}, step ${p.step}: ${shown(metric, p.y)}`)));
  });
  const rows = () => byCondition.flatMap(({ name, seeds }) => seeds.flatMap((points, i) => points.map((p) =>
    [seeds.length > 1 ? `${name} (${i + 1})` : name, String(p.step), short(p.x / divisor), shown(metric, p.y), p.ci ? p.ci.map((v) => shown(metric, v)).join(" to ") : ""])));
  const csv = () => [["condition", "run", "step", view.axis, metric, "low", "high"], byCondition.flatMap(({ name, seeds }) =>
    seeds.flatMap((points, i) => points.map((p) => [name, i + 1, p.step, p.x, p.y, ...(p.ci ?? ["", ""])])))];
  const legend = byCondition.map(({ name }) => [name, cssOf(`--c${style(name)}`), DASHES[style(name)]]);
  const pictures = () => [[label, () => host.querySelector("svg"), legend]];
  const details = host.querySelector("details");
  host.replaceChildren(
    el("figcaption", { title: data.metrics[metric]?.label ?? "" }, isShare(metric) ? `${metric}, %` : metric),
    svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${label} against ${axisName}; the values are in the table that follows` }, grid, marks),
    tableBehind(label, ["condition", "step", axisName, metric, "95 % interval"], rows, { csv, pictures }));
  if (details?.open) host.querySelector("details").open = true;
}

const charts = [];
function chart(group, metric) {
  const host = el("figure");
  let width = 0;
  const draw = () => width && drawChart(host, group(), metric(), width);
  charts.push(draw);
  return drawnAtWidth(host, (now) => { width = now; draw(); });
}
const redraw = () => charts.forEach((draw) => draw());

const trainingMetrics = [...new Set(data.curves.training.flatMap((s) => s.points.flatMap((p) => Object.keys(p.values))))].sort();
const others = trainingMetrics.filter((metric) => !data.training.includes(metric)); // without a chart of their own
view.metric = others.includes("loss") ? "loss" : others[0];
const byId = (id) => document.getElementById(id);
byId("curve-controls").append(
  radios("Horizontal axis", "axis", AXES, view.axis, (value) => { view.axis = value; redraw(); }),
  SPLITS.length > 1 ? radios("Problems", "split", SPLITS.map((split) => [split, split]), view.split, (value) => { view.split = value; redraw(); }) : "",
  data.conditions.length > 1 ? el("ul", { class: "legend" }, data.conditions.map((name) => el("li", {}, el("span", { class: "key" }, key(name)), name))) : "");
byId("accuracy-charts")?.append(...data.accuracy.map((metric) => chart(() => view.split, () => metric)));
byId("rate-charts")?.append(...data.rates.map((metric) => chart(() => view.split, () => metric)));
byId("training-charts").append(...data.training.filter((metric) => trainingMetrics.includes(metric)).map((metric) => chart(() => "training", () => metric)));
if (others.length) {
  byId("training-control").append(el("form", { class: "controls" },
    dropdown(data.training.length ? "Other training metrics" : "Training metric", others.map((name) => [name, name]), view.metric, (value) => { view.metric = value; redraw(); })));
  byId("training-chart").append(chart(() => "training", () => view.metric));
} else if (!trainingMetrics.length) byId("training-chart").append(el("p", { class: "status" }, "No training step is recorded yet."));
