// Bar charts with 95 % intervals: figures that carry {title, unit, groups: [[name, [{label, value, ci95}]]], signal}.
const LINE = 19, HEAD = 24;

function drawBars(host, chart, width) {
  const groups = chart.groups.map(([name, bars]) => [name, bars.filter((bar) => typeof bar.value === "number")]).filter(([, bars]) => bars.length);
  const rows = groups.flatMap(([name, bars]) => bars.map((bar) => ({ ...bar, group: name })));
  const largest = Math.max(...rows.map(({ value }) => Math.abs(value)));
  const digits = largest < 0.1 ? 3 : largest < 10 ? 2 : 1;
  const written = (value) => (chart.signal || rows.some((bar) => bar.value < 0) || chart.unit === "points" ? signed(value, digits) : value.toFixed(digits));
  const ends = rows.flatMap(({ value, ci95 }) => [value, ...(ci95 ?? [])]);
  const low = Math.min(0, ...ends), high = Math.max(0, ...ends), size = high - low || 1;
  const longest = Math.max(...rows.map(({ label }) => label.length));
  const left = Math.min(width * 0.4, 16 + 6.2 * longest), right = 64;
  const x = (value) => left + 6 + ((value - low) / size) * (width - left - right - 12);
  const fit = (text, room) => (text.length * 6.2 > room ? `${[...text].slice(0, Math.max(1, Math.floor(room / 6.2) - 1)).join("")}…` : text);
  let y = 4;
  const drawn = groups.map(([name, bars]) => {
    const title = name ? svg("text", { class: "group", x: 0, y: y + 15 }, fit(name, width), svg("title", {}, name)) : null;
    y += name ? HEAD : 0;
    return [title, bars.map(({ label, value, ci95 }) => {
      const middle = y + LINE / 2;
      y += LINE;
      const colour = chart.signal ? (value < 0 ? "area-down" : "area-up") : "bar-plain";
      const said = `${name ? `${name}, ` : ""}${label}: ${written(value)}${ci95 ? `, 95 % interval ${written(ci95[0])} to ${written(ci95[1])}` : ""}`;
      return svg("g", {}, svg("title", {}, said),
        svg("text", { x: 12, y: middle + 4 }, fit(label, left - 12)),
        svg("rect", { class: colour, x: Math.min(x(0), x(value)), y: middle - 6, width: Math.abs(x(value) - x(0)), height: 12 }),
        ci95 ? svg("path", { class: "whisker", d: `M${x(ci95[0])} ${middle}H${x(ci95[1])}M${x(ci95[0])} ${middle - 3}v6M${x(ci95[1])} ${middle - 3}v6` }) : null,
        svg("text", { class: "value", x: width, y: middle + 4, "text-anchor": "end" }, written(value)));
    })];
  });
  const height = y + 22;
  const axis = svg("g", { class: "axis" }, ticks(low, high, Math.max(2, Math.min(5, (width - left - right) / 70))).map((value) => [
    svg("line", { class: Math.abs(value) < size / 1e6 ? "zero" : null, x1: x(value), x2: x(value), y1: 4, y2: y + 2 }),
    svg("text", { x: x(value), y: y + 16, "text-anchor": "middle" }, short(value).replace("-", "−"))]));
  const ofTable = () => rows.map(({ group, label, value, ci95 }) => [group ? `${group}, ${label}` : label, written(value), ci95 ? ci95.map(written).join(" to ") : ""]);
  const csv = () => [["group", "label", chart.unit, "low", "high"], rows.map(({ group, label, value, ci95 }) => [group, label, value, ...(ci95 ?? ["", ""])])];
  const open = host.querySelector("details")?.open;
  host.replaceChildren(
    el("figcaption", {}, `${chart.title}, ${chart.unit}`),
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${chart.title}, ${chart.unit}; the values are in the table that follows` }, axis, drawn),
    tableBehind(chart.title, ["what", chart.unit, "95 % interval"], ofTable, { csv, pictures: () => [[chart.title, () => host.querySelector("svg")]] }));
  if (open) host.querySelector("details").open = true;
}

for (const host of document.querySelectorAll("[data-bars]")) {
  const chart = JSON.parse(host.dataset.bars);
  drawnAtWidth(host, (width) => drawBars(host, chart, width));
}
