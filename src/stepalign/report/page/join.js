// What a context has of a trace, word for word: stretches that stand in both, in the same order. A stretch lies within a
// line or an element of either text; it is a whole one, or at least LEAST characters.
const LEAST = 16, JOINED = 50000; // characters; texts beyond that are not joined

// Lines and elements: [from, to] of what stands between tags and line breaks, outer spaces left out.
function segmentsOf(text) {
  const segments = [], part = text.slice(0, JOINED);
  let behind = 0;
  for (const { 0: between, index } of [...part.matchAll(/<\/?[A-Za-z][\w-]*\s*\/?>|\n/g), { 0: "", index: part.length }]) {
    const piece = part.slice(behind, index), inner = piece.trim(), from = behind + piece.indexOf(inner);
    if (inner) segments.push([from, from + inner.length]);
    behind = index + between.length;
  }
  return segments;
}

// Stretches {from, to, at, end}: trace.slice(from, to) is context.slice(at, end).
function joinTexts(trace, context) {
  const of = segmentsOf(trace), grams = new Map();
  for (const [from, to] of of)
    for (let i = from; i + LEAST <= to; i++) {
      const gram = trace.slice(i, i + LEAST);
      if (!grams.has(gram)) grams.set(gram, []);
      grams.get(gram).push([i, to]);
    }
  const found = [];
  let behind = 0; // of the trace: what stands before it has been joined
  const join = (from, at, length) => { found.push({ from, to: from + length, at, end: at + length }); behind = from + length; };
  for (const [at, end] of segmentsOf(context)) {
    const whole = context.slice(at, end);
    const next = of.find(([from]) => from >= behind);
    if (next && trace.slice(...next) === whole) {
      join(next[0], at, end - at);
      continue;
    }
    for (let i = at; i + LEAST <= end; i++) {
      const place = grams.get(context.slice(i, i + LEAST))?.find(([from]) => from >= behind);
      if (!place) continue;
      let length = LEAST;
      while (i + length < end && place[0] + length < place[1] && trace[place[0] + length] === context[i + length]) length++;
      join(place[0], i, length);
      i += length - 1;
    }
  }
  return found;
}

// Parts of a text for longText, cut at the ends of `ranges`: [from, to, attribute, value]. `wrap` makes an element of a
// part from the values of the ranges that it lies in, by attribute.
function cutByRanges(text, ranges, wrap) {
  const ends = [...new Set([0, text.length, ...ranges.flatMap(([from, to]) => [from, to])])].sort((a, b) => a - b);
  return ends.slice(0, -1).map((from, n) => {
    const within = ranges.filter(([start, to]) => start <= from && ends[n + 1] <= to);
    const part = text.slice(from, ends[n + 1]);
    return within.length ? [part, (piece) => wrap(piece, within)] : [part];
  });
}

// Trace and contexts side by side. `wrong` is [from, to] of the first wrong step, or null. What a context has copied is
// marked in both; pointing at a copy, or the focus on it, shows where it is from, and what is not copied of the step that
// stands in the place of the wrong one is marked as changed.
function besideTrace(trace, wrong, sides) {
  const joined = sides.map(({ text }) => (text === null ? [] : joinTexts(trace, text)));
  const inTrace = joined.flatMap((found, side) => found.map(({ from, to }, n) => [from, to, "copied", `${side}-${n}`]));
  if (wrong) inTrace.push([...wrong, "wrong"]);
  const pairs = (within) => within.filter(([, , kind]) => kind === "copied").map(([, , , pair]) => pair).join(" ") || null;
  const traceText = longText("Trace", cutByRanges(trace, inTrace, (piece, within) => {
    const isWrong = within.some(([, , kind]) => kind === "wrong");
    return el(isWrong ? "mark" : "span", { class: pairs(within) ? "copied" : null, "data-pairs": pairs(within), title: isWrong ? "first wrong step" : null }, piece);
  }));
  const texts = sides.map(({ label, text, note }, side) => {
    if (text === null) return el("figure", {}, el("figcaption", {}, label), el("p", { class: "status" }, note));
    const ranges = joined[side].map(({ at, end }, n) => [at, end, "copied", `${side}-${n}`]);
    const changed = wrong ? changedIn(trace, text, joined[side], wrong) : null;
    if (changed) ranges.push([...changed, "changed"]);
    return longText(label, cutByRanges(text, ranges, (piece, within) => (pairs(within)
      ? el("span", { class: "copied", "data-pairs": pairs(within), tabindex: 0, title: "copied from the trace" }, piece)
      : el("mark", { class: "changed", title: "in the place of the first wrong step" }, piece))));
  });
  const pair = el("div", { class: "pair" }, traceText, texts);
  const show = (event) => {
    const span = event.target.closest?.("[data-pairs]");
    pair.querySelectorAll(".joined").forEach((node) => node.classList.remove("joined"));
    for (const name of span && event.type !== "pointerout" && event.type !== "focusout" ? span.dataset.pairs.split(" ") : [])
      pair.querySelectorAll(`[data-pairs~="${name}"]`).forEach((node) => node.classList.add("joined"));
  };
  for (const type of ["pointerover", "pointerout", "focusin", "focusout"]) pair.addEventListener(type, show);
  const copied = joined.some((found) => found.length);
  return [pair, copied ? el("p", { class: "status" }, el("span", { class: "copied" }, "Underlined"), ": word for word in trace and context; point at it, or move the focus to it, to see where. ",
    wrong ? [el("mark", {}, "Wavy"), ": the first wrong step, and what a context has in its place."] : null) : ""];
}

// Where a context goes another way: the first line or element behind what it has copied up to the wrong step, of which the
// part that is in no stretch is marked; null where it has not copied the step before, or has copied everything.
function changedIn(trace, text, found, wrong) {
  const steps = segmentsOf(trace), last = steps.filter(([, to]) => to <= wrong[0]).at(-1);
  const before = found.filter(({ to }) => to <= wrong[0]);
  if (last && before.at(-1)?.to !== last[1]) return null;
  const behind = before.at(-1)?.end ?? 0;
  return segmentsOf(text).find(([at, end]) => at >= behind && !found.some((copy) => copy.at <= at && end <= copy.end)) ?? null;
}

// Where the first wrong step stands in a trace: as its parts say, or else its tokens; null where nobody says.
function wrongIn({ trace, signal }) {
  if (trace.length === 3) return [trace[0].length, trace[0].length + trace[1].length];
  const first = signal ? firstWrong(signal) : -1;
  if (first < 0) return null;
  const last = signal.token_steps.lastIndexOf(signal.first_wrong_step);
  const from = signal.tokens.slice(0, first).join("").length, to = signal.tokens.slice(0, last + 1).join("").length;
  return trace[0].slice(0, to) === signal.tokens.slice(0, last + 1).join("") ? [from, to] : null;
}
