// The rollout browser: filters over the index, texts unpacked chunk by chunk when they are shown or searched.
const PAGE_ROWS = 25, CACHED = 100;
const GRADES = { correct: "✓ correct", wrong: "✗ wrong", unparseable: "? unparseable", timeout: "… timeout", error: "! error" };
const index = data.rollouts;
const { columns: COLUMNS, filters: FILTERS } = data.browser; // each [field, label]; columns are numbers where a third says so
const count = index.problem_id.length;
const browser = { filters: {}, query: "", order: "", found: [], page: 0, chosen: null, search: 0 };

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

// The address of a rollout: with condition, seed and step where another one has its problem and sample.
function addressOf(i, token) {
  const { problem_id, sample } = index;
  const found = { problem_id: problem_id[i], sample: sample[i], token };
  const others = problem_id.some((id, n) => n !== i && id === problem_id[i] && sample[n] === sample[i]);
  for (const name of others ? PLACES : []) found[name] = index[name]?.[i];
  return found;
}

// The token maps of a rollout; where it was scored at several steps of training, a slider over them.
function scoredMaps(i, response) {
  const steps = response.at ?? [];
  const host = el("div"), said = el("output");
  const scale = el("div", { class: "scale" });
  let now = 0, shown = 5, maps, chosen = lowestToken(response);
  function draw() {
    const contexts = Object.entries(response.contexts).map(([name, context]) => [name, steps.length ? { advantage: context.by_step[now] } : context]);
    maps = responseMaps({ ...response, contexts: Object.fromEntries(contexts) }, { scale: shown, label: "this rollout", start: chosen, stay });
    host.replaceChildren(el("div", { class: "maps" }, maps.figures), maps.table);
    scale.replaceChildren(...scaleLegend(shown));
    if (steps.length) said.textContent = steps[now] ? `after step ${steps[now]}` : "before training";
    slider.setAttribute("aria-valuetext", said.textContent);
  }
  function stay(token) {
    chosen = token;
    writeAddress(addressOf(i, token));
  }
  const slider = el("input", { type: "range", min: 0, max: Math.max(0, steps.length - 1), step: 1, value: 0, oninput: (event) => { now = Number(event.target.value); draw(); } });
  draw();
  const controls = el("form", { class: "controls" }, scaleControl((value) => { shown = value; draw(); }),
    steps.length > 1 ? el("label", { class: "field" }, "Training step", el("span", { class: "slide" }, slider, said)) : null, scale);
  controls.addEventListener("submit", (event) => event.preventDefault());
  return { node: el("div", { class: "scored" }, el("h4", {}, "Token by token"), controls, host), goTo: (token) => { chosen = token; maps.goTo(token); } };
}

async function showRollout(i, { scroll = false, token } = {}) {
  browser.chosen = i;
  listRollouts();
  const texts = await textsOf(i);
  if (browser.chosen !== i) return;
  const [problem, answer] = problemOf(i);
  const stopped = { length: "token limit reached", stop: "ended by itself" }[index.finish_reason[i]] ?? index.finish_reason[i];
  const scored = texts.signal ? scoredMaps(i, texts.signal) : null;
  heading.replaceChildren(el("h3", { tabindex: -1 }, nameOf(i)));
  detail.replaceChildren(
    facts([["Problem", problem], ["Answer", answer], ["Extracted", texts.extracted], ["Grade", GRADES[index.grade[i]] ?? index.grade[i]],
      ["Length", index.num_tokens[i] === null ? stopped : `${thousands(index.num_tokens[i])} tokens, ${stopped}`], ...critiqueFacts(texts.critique), ...texts.facts]),
    ...besideTrace(texts.trace.join(""), wrongIn(texts), texts.sides),
    replyOf(texts.reply), scored?.node ?? "");
  if (scored && token !== undefined) scored.goTo(token);
  else if (scroll && (scroll === "always" || heading.getBoundingClientRect().top > innerHeight)) heading.scrollIntoView();
}

// Show the rollout that the address names, on the page of the list that has it; false where it names none.
function openAddress() {
  const wanted = readAddress();
  if (wanted?.problem_id === undefined) return false;
  const named = ["problem_id", "sample", ...PLACES].filter((name) => wanted[name] !== undefined && index[name]);
  const found = index.problem_id.flatMap((_, i) => (named.every((name) => String(index[name][i]) === wanted[name]) ? [i] : []));
  const i = found.find((n) => index.scored[n] !== "no") ?? found[0];
  if (i === undefined) {
    const sample = wanted.sample === undefined ? "" : `, sample ${wanted.sample}`;
    notice.replaceChildren(el("p", { class: "note" }, `The address names problem ${wanted.problem_id}${sample}, of which there is no rollout on this page.`));
    return false;
  }
  notice.replaceChildren();
  if (browser.found.includes(i)) browser.page = Math.floor(browser.found.indexOf(i) / PAGE_ROWS);
  showRollout(i, { scroll: "always", token: wanted.token });
  return true;
}

// Whether a rollout is what the filters ask for, but for those that are left out.
function matches(i, without = []) {
  return Object.entries(browser.filters).every(([name, value]) => value === "" || without.includes(name) || String(index[name][i]) === value);
}

// What a field of the index holds, [value, how often], in order; null is nothing.
function valuesOf(name) {
  const counts = new Map();
  for (const value of index[name] ?? []) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  const known = [...counts];
  return name === "condition" ? known : known.sort(([a], [b]) => String(a).localeCompare(String(b), "en", { numeric: true }));
}

const selects = new Map(); // of the filters, by field
function setFilters(values) {
  for (const [name, value] of Object.entries(values)) {
    browser.filters[name] = value;
    if (selects.has(name)) selects.get(name).querySelector("select").value = value;
  }
  findRollouts();
}

const contains = (text) => typeof text === "string" && text.toLowerCase().includes(browser.query);

async function findRollouts() {
  const search = ++browser.search;
  const candidates = index.problem_id.flatMap((_, i) => (matches(i) ? [i] : []));
  const by = index[browser.order];
  if (by) candidates.sort((a, b) => (by[a] ?? Infinity) - (by[b] ?? Infinity) || a - b);
  browser.found = browser.query ? [] : candidates;
  browser.page = 0;
  cross?.draw();
  for (let at = 0; browser.query && at < candidates.length; at++) {
    const i = candidates[at];
    const texts = await textsOf(i);
    if (search !== browser.search) return;
    if (contains(String(index.problem_id[i])) || contains(problemOf(i)[0]) || contains(texts.trace.join("")) || texts.sides.some(({ text }) => contains(text)) || contains(texts.extracted) || contains(texts.reply)) browser.found.push(i);
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
  return el("button", { type: "button", "data-rollout": i, "aria-label": `Show ${nameOf(i)}`, onclick: () => { notice.replaceChildren(); writeAddress(addressOf(i)); showRollout(i, { scroll: true }); } }, String(value).slice(0, 24));
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
const notice = el("div", { role: "status" });
const detail = el("div");
const cross = crossTable();

if (document.getElementById("rollout-browser")) {
  const aims = data.scored.map((name) => [`aim ${name}`, `Lowest A_t, ${name}`]);
  for (const [name, label] of [...FILTERS, ...aims, ["scored", "Token by token"]]) {
    const options = valuesOf(name).map(([value, n]) => [String(value), `${value} (${thousands(n)})`]);
    if (options.length > 1) selects.set(name, dropdown(label, [["", "all"], ...options], "", (value) => setFilters({ [name]: value })));
  }
  let pause = 0;
  const search = el("input", { type: "search", placeholder: "problem, trace, context, reply", oninput: (event) => {
    clearTimeout(pause);
    pause = setTimeout(() => { browser.query = event.target.value.toLowerCase(); findRollouts(); }, 250);
  } });
  const form = document.getElementById("rollout-controls");
  form.addEventListener("submit", (event) => event.preventDefault());
  const orders = [["", "as recorded"], ...data.scored.map((name) => [`low ${name}`, `lowest A_t first, ${name}`])];
  form.append(...selects.values(), orders.length > 1 ? dropdown("Order", orders, "", (value) => { browser.order = value; findRollouts(); }) : "",
    el("label", { class: "field" }, "Search", search));
  const head = COLUMNS.map(([, label, isNumber]) => el("th", { scope: "col", class: isNumber ? "num" : null }, label));
  document.getElementById("rollout-browser").append(cross?.node ?? "", el("div", { class: "browser" },
    el("div", {}, status, scrollable("What was found", el("table", {}, el("thead", {}, el("tr", {}, head)), body)), el("div", { class: "pages" }, previous, next, place)),
    el("div", { class: "detail" }, notice, heading, detail)));
  findRollouts().then(() => openAddress() || showRollout(0));
  addEventListener("hashchange", openAddress);
}
