// The rollout browser: filters over the index, texts unpacked chunk by chunk when they are shown or searched.
const PAGE_ROWS = 25, CACHED = 100;
const GRADES = { correct: "✓ correct", wrong: "✗ wrong", unparseable: "? unparseable", timeout: "… timeout", error: "! error" };
const index = data.rollouts;
const { columns: COLUMNS, filters: FILTERS } = data.browser; // each [field, label]; columns are numbers where a third says so
const count = index.problem_id.length;
const browser = { filters: {}, query: "", found: [], page: 0, chosen: null, search: 0 };

const cache = new Map();
function unpack(number) {
  if (!cache.has(number)) {
    if (cache.size >= CACHED) cache.clear();
    const packed = Uint8Array.from(atob(document.getElementById(`chunk-${number}`).textContent), (c) => c.charCodeAt(0));
    cache.set(number, new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).json());
  }
  return cache.get(number);
}
const textsOf = async (i) => (await unpack(Math.floor(i / data.chunk_size)))[i % data.chunk_size];

// What a rollout is called: the parts of its name that the index has.
const nameOf = (i) => [["", "condition"], ["step ", "step"], ["problem ", "problem_id"], ["sample ", "sample"]]
  .filter(([, field]) => (index[field]?.[i] ?? null) !== null).map(([word, field]) => word + index[field][i]).join(", ");

const problemOf = (i) => (Object.hasOwn(data.problems, index.problem_id[i]) ? data.problems[index.problem_id[i]] : ["", null]);

const markWrong = (text) => el("mark", { title: "first wrong step" }, text);

function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}

function critiqueFacts(critique) {
  if (!critique) return [];
  const origins = (critique.steps ?? []).map((step, n) => `${n + 1} ${step?.origin}`).join(", ");
  const verified = critique.verified ? "verified" : "not verified";
  const wrong = critique.first_wrong_step ? `, first wrong step ${critique.first_wrong_step}` : "";
  return [["Critique", `case ${critique.case}${wrong}, ${verified}${critique.source ? `, by ${critique.source}` : ""}`], ["Steps of the critique", origins]];
}

async function showRollout(i, scroll) {
  browser.chosen = i;
  listRollouts();
  const texts = await textsOf(i);
  if (browser.chosen !== i) return;
  const [problem, answer] = problemOf(i);
  const stopped = { length: "token limit reached", stop: "ended by itself" }[index.finish_reason[i]] ?? index.finish_reason[i];
  heading.replaceChildren(el("h3", {}, nameOf(i)));
  const sides = texts.sides.map(({ label, text, note }) => (text === null
    ? el("figure", {}, el("figcaption", {}, label), el("p", { class: "status" }, note)) : longText(label, [[text]])));
  detail.replaceChildren(
    facts([["Problem", problem], ["Answer", answer], ["Extracted", texts.extracted], ["Grade", GRADES[index.grade[i]] ?? index.grade[i]],
      ["Length", index.num_tokens[i] === null ? stopped : `${thousands(index.num_tokens[i])} tokens, ${stopped}`], ...critiqueFacts(texts.critique), ...texts.facts]),
    el("div", { class: "pair" }, longText("Trace", texts.trace.map((text, part) => [text, part === 1 ? markWrong : null])), sides));
  if (scroll && heading.getBoundingClientRect().top > innerHeight) heading.scrollIntoView();
}

function matches(i) {
  return Object.entries(browser.filters).every(([name, value]) => value === "" || String(index[name][i]) === value);
}

const contains = (text) => typeof text === "string" && text.toLowerCase().includes(browser.query);

async function findRollouts() {
  const search = ++browser.search;
  const candidates = index.problem_id.flatMap((_, i) => (matches(i) ? [i] : []));
  browser.found = browser.query ? [] : candidates;
  browser.page = 0;
  for (let at = 0; browser.query && at < candidates.length; at++) {
    const i = candidates[at];
    const texts = await textsOf(i);
    if (search !== browser.search) return;
    if (contains(String(index.problem_id[i])) || contains(problemOf(i)[0]) || contains(texts.trace.join("")) || texts.sides.some(({ text }) => contains(text)) || contains(texts.extracted)) browser.found.push(i);
    if (at % 2000 === 1999) {
      listRollouts(`searched ${thousands(at + 1)} of ${thousands(candidates.length)}`);
      await new Promise((done) => setTimeout(done));
    }
  }
  listRollouts();
}

function shownIn(field, i) {
  const value = index[field][i];
  if (field === "grade") return GRADES[value] ?? String(value ?? "not graded");
  if (field !== "problem_id") return String(value ?? "–");
  return el("button", { type: "button", "data-rollout": i, "aria-label": `Show ${nameOf(i)}`, onclick: () => showRollout(i, true) }, String(value).slice(0, 24));
}

function listRollouts(progress) {
  const { found, page } = browser;
  const rows = found.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS).map((i) =>
    el("tr", { "aria-current": i === browser.chosen ? "true" : null }, COLUMNS.map(([field, , isNumber], n) =>
      el(n ? "td" : "th", { scope: n ? null : "row", class: isNumber ? "num" : null }, shownIn(field, i)))));
  const focused = document.activeElement?.dataset?.rollout;
  body.replaceChildren(...rows);
  if (focused !== undefined) body.querySelector(`[data-rollout="${focused}"]`)?.focus();
  const pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
  status.textContent = `${thousands(found.length)} of ${thousands(count)} ${data.browser.noun}` + (progress ? `; ${progress}` : "");
  place.textContent = `page ${page + 1} of ${thousands(pages)}`;
  previous.disabled = page === 0;
  next.disabled = page + 1 >= pages;
}

const turn = (by) => { browser.page += by; listRollouts(); };
const previous = el("button", { type: "button", onclick: () => turn(-1) }, "Previous");
const next = el("button", { type: "button", onclick: () => turn(1) }, "Next");
const place = el("span");
const status = el("p", { class: "status", role: "status" });
const body = el("tbody");
const heading = el("div", { "aria-live": "polite" });
const detail = el("div");

if (document.getElementById("rollout-browser")) {
  const selects = FILTERS.flatMap(([name, label]) => {
    const counts = new Map();
    for (const value of index[name] ?? []) counts.set(value, (counts.get(value) ?? 0) + 1);
    const known = [...counts].filter(([value]) => value !== null);
    if (known.length < 2) return [];
    const options = known.map(([value, n]) => [String(value), `${value} (${thousands(n)})`]);
    return [dropdown(label, [["", "all"], ...options], "", (value) => { browser.filters[name] = value; findRollouts(); })];
  });
  let pause = 0;
  const search = el("input", { type: "search", placeholder: "problem, trace, context", oninput: (event) => {
    clearTimeout(pause);
    pause = setTimeout(() => { browser.query = event.target.value.toLowerCase(); findRollouts(); }, 250);
  } });
  const form = document.getElementById("rollout-controls");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.append(...selects, el("label", { class: "field" }, "Search", search));
  const head = COLUMNS.map(([, label, isNumber]) => el("th", { scope: "col", class: isNumber ? "num" : null }, label));
  document.getElementById("rollout-browser").append(el("div", { class: "browser" },
    el("div", {}, status, scrollable("What was found", el("table", {}, el("thead", {}, el("tr", {}, head)), body)), el("div", { class: "pages" }, previous, next, place)),
    el("div", { class: "detail" }, heading, detail)));
  findRollouts().then(() => showRollout(0));
}
