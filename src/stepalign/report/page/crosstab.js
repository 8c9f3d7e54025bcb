// How often each grade goes with each step that the critique changed first, among the rollouts that the other filters
// leave. A number is a button that sets both filters; pressed once more it lifts them.
const CROSSED = ["grade", "changed"];

function crossTable() {
  const [byGrade, byStep] = CROSSED.map((name) => valuesOf(name).map(([value]) => value));
  if (!CROSSED.every((name) => FILTERS.some(([field]) => field === name)) || !byGrade.length || byStep.length < 2) return null;
  const body = el("tbody");
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Grade"), byStep.map((step) => el("th", { scope: "col", class: "num" }, step))));
  const label = "What critiques changed first, by grade of the rollout";
  const cell = (grade, step, n) => {
    const chosen = browser.filters.grade === grade && browser.filters.changed === step;
    const press = () => {
      setFilters(chosen ? { grade: "", changed: "" } : { grade, changed: step });
      body.querySelector(`[data-cell="${CSS.escape(`${grade} ${step}`)}"]`)?.focus();
    };
    return el("td", { class: "num" }, n ? el("button", { type: "button", "data-cell": `${grade} ${step}`, "aria-pressed": String(chosen), "aria-label": `${thousands(n)} ${grade}, ${step}`, onclick: press }, thousands(n)) : "–");
  };
  function draw() {
    const counts = new Map();
    index.problem_id.forEach((_, i) => {
      if (!matches(i, CROSSED)) return;
      const key = CROSSED.map((name) => index[name][i]).join("\n");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    });
    body.replaceChildren(...byGrade.map((grade) => el("tr", {}, el("th", { scope: "row" }, GRADES[grade] ?? grade),
      byStep.map((step) => cell(grade, step, counts.get(`${grade}\n${step}`))))));
  }
  return { node: el("figure", { class: "cross" }, el("figcaption", {}, label), scrollable(label, el("table", {}, head, body))), draw };
}
