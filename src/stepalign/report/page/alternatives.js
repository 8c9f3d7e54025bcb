// What student and self-teacher would write at each token: a card below each token map, and a second line under tokens.
// A response has {texts, student_top, contexts: {name: {teacher_top, instead}}}: a top is [text's number, probability in
// ten thousandths, ...], and `instead` the tokens that get a second line, [token, text's number, probability].
const visibleSpaces = (text) => text.replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length));
const inPercent = (share) => (share >= 0.0995 ? `${(100 * share).toFixed(0)} %` : share >= 0.001 ? `${(100 * share).toFixed(1)} %` : "< 0.1 %");
const topOf = (response, top) => Array.from({ length: top.length / 2 }, (_, n) => [response.texts[top[2 * n]], top[2 * n + 1] / 1e4]);

// The second lines of a context by token.
function secondLines(response, name) {
  return new Map((response.contexts[name].instead ?? []).map(([i, text, share]) =>
    [i, [visibleSpaces(response.texts[text].trim() || response.texts[text]), el("small", {}, ` ${inPercent(share / 1e4)}`)]]));
}

function topList(label, alternatives, written) {
  const items = alternatives.map(([text, share]) => {
    const item = el("li", { class: text === written ? "written" : null },
      el("code", {}, visibleSpaces(text)), el("span", { class: "num" }, inPercent(share)));
    item.style.setProperty("--share", share);
    return item;
  });
  return el("div", {}, el("p", { class: "label" }, label), el("ol", { class: "top" }, items));
}

// The card of one context; `show(i)` fills it with a token, told in words by `sentence(i)`.
function tokenCard(response, name, sentence) {
  const said = el("p", { class: "status", role: "status" });
  const tops = el("div", { class: "tops" });
  const card = el("div", { class: "card" }, said, tops);
  card.show = (i) => {
    said.replaceChildren(...sentence(i));
    if (!response.student_top?.[i]?.length) return;
    tops.replaceChildren(
      topList("The student would write", topOf(response, response.student_top[i]), response.tokens[i]),
      topList(`The self-teacher under ${name}`, topOf(response, response.contexts[name].teacher_top[i]), response.tokens[i]));
  };
  return card;
}

// What is copied from a token map is the response alone, without second lines.
document.addEventListener("copy", (event) => {
  const range = getSelection().rangeCount ? getSelection().getRangeAt(0) : null;
  const within = range?.commonAncestorContainer;
  if (!(within?.closest ? within : within?.parentElement)?.closest(".tokens.lined")) return;
  const part = range.cloneContents();
  part.querySelectorAll("rt").forEach((line) => line.remove());
  event.clipboardData.setData("text/plain", part.textContent);
  event.preventDefault();
});

// Several maps of one response move together: pointing shows a token in all of them, a click or the arrow keys stay there.
// A map is {body, more, card, marked}: its tokens, the button for more of them, its card, and the tokens with a second
// line; `stay` hears where it stays. `goTo(i)` of what is returned goes to a token that was asked for by its number.
function moveTogether(maps, count, start, stay) {
  let chosen = start;
  const spanOf = (map, i) => map.body.querySelector(`[data-token="${i}"]`);
  function show(i) {
    for (const map of maps) {
      map.body.querySelector(".told")?.classList.remove("told");
      spanOf(map, i)?.classList.add("told");
      map.card.show(i);
    }
  }
  function choose(i) {
    chosen = Math.max(0, Math.min(count - 1, i));
    stay(chosen);
    show(chosen);
  }
  function pointed(event) {
    const span = event.target.closest("[data-token]");
    return span ? Number(span.dataset.token) : null;
  }
  for (const map of maps) {
    map.body.addEventListener("pointerover", (event) => { if (pointed(event) !== null) show(pointed(event)); });
    map.body.addEventListener("pointerleave", () => show(chosen));
    map.body.addEventListener("click", (event) => { if (pointed(event) !== null) choose(pointed(event)); });
    map.body.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const further = map.marked.filter((i) => by * (i - chosen) > 0).sort((a, b) => by * (a - b));
      choose(event.shiftKey ? further[0] ?? chosen : chosen + by);
      spanOf(map, chosen)?.scrollIntoView({ block: "nearest" });
    });
  }
  function goTo(i) {
    chosen = Math.max(0, Math.min(count - 1, i));
    for (const { body, more } of maps) while (!body.querySelector(`[data-token="${chosen}"]`) && !more.hidden) more.click();
    show(chosen);
    maps[0].body.focus({ preventScroll: true });
    spanOf(maps[0], chosen)?.scrollIntoView({ block: "center" });
  }
  if (count) show(start);
  return { goTo };
}
