// One response under its contexts: token maps and areas on one scale, the numbers as a table, and the prompts.
const BEGINNING = 400; // characters of the response shown after each prompt
const inspection = { ...data, contexts: Object.fromEntries(data.contexts.map((context) => [context.name, context])) };
const count = data.tokens.length;
const percentOf = (logp) => (typeof logp === "number" ? inPercent(Math.exp(logp)) : "–");
let chosen = data.start;

function sentence(context, i) {
  const step = data.token_steps[i] === null ? "outside the steps" : `step ${data.token_steps[i]}`;
  const value = context.advantage[i];
  return [`Token ${thousands(i + 1)} of ${thousands(count)}, ${step}: `, el("code", {}, visibleSpaces(data.tokens[i])),
    `. A_t ${typeof value === "number" ? signed(value) : "–"} nats; student ${percentOf(context.student_logp[i])}, self-teacher ${percentOf(context.teacher_logp[i])}.`];
}

function drawMaps(scale) {
  const maps = data.contexts.map((context) => {
    const { name, advantage } = context, below = secondLines(inspection, name);
    const curve = drawnAtWidth(el("div"), (width) => drawAdvantages(curve, inspection, advantage, `Context ${name}`, scale, width));
    const [body, more] = tokenMap(inspection, advantage, `Tokens under ${name}`, scale, below, false);
    const card = tokenCard(inspection, name, (i) => sentence(context, i));
    const figure = el("figure", { class: "probe" }, el("figcaption", {}, `Context: ${name}`), body, more, card, curve);
    return { figure, body, card, marked: [...below.keys()] };
  });
  document.getElementById("signal-maps").replaceChildren(...maps.map((map) => map.figure), tokenTable(inspection, "A_t of every token", scale));
  document.querySelector(".scale").replaceChildren(...scaleLegend(scale));
  moveTogether(maps, count, chosen, (i) => { chosen = i; });
}

document.getElementById("signal-controls").append(scaleControl("5", drawMaps), el("div", { class: "scale" }));
document.getElementById("signal-controls").addEventListener("submit", (event) => event.preventDefault());
drawMaps(5);

let beginning = "";
for (let i = 0; i < count && beginning.length < BEGINNING; i++) beginning += data.tokens[i];
const whole = [...beginning].slice(0, BEGINNING).join("");
const response = (text) => el("span", { class: "boundary" }, text);
const prompt = (label, text) => longText(label, [[text], [beginning.length > BEGINNING ? `${whole} …` : beginning, response]]);
document.getElementById("prompt-texts").append(
  prompt("Student", data.student_prompt),
  ...data.contexts.map(({ name, teacher_prompt }) => prompt(`Self-teacher: ${name}`, teacher_prompt)));
