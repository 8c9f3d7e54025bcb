// One response under its contexts: token maps and areas on one scale, the numbers as a table, and the prompts.
const BEGINNING = 400; // characters of the response shown after each prompt
const inspection = { ...data, contexts: Object.fromEntries(data.contexts.map((context) => [context.name, context])) };
const percentOf = (logp) => (typeof logp === "number" ? `${(100 * Math.exp(logp)).toPrecision(3)} %` : "–");

function drawMaps(scale) {
  const maps = data.contexts.map(({ name, advantage, student_logp, teacher_logp }) => {
    const note = (i) => `; student ${percentOf(student_logp[i])}, self-teacher ${percentOf(teacher_logp[i])}`;
    const curve = drawnAtWidth(el("div"), (width) => drawAdvantages(curve, inspection, advantage, `Context ${name}`, scale, width));
    return el("figure", { class: "probe" }, el("figcaption", {}, `Context: ${name}`), tokenMap(inspection, advantage, `Tokens under ${name}`, scale, note), curve);
  });
  document.getElementById("signal-maps").replaceChildren(...maps, tokenTable(inspection, "A_t of every token"));
  document.querySelector(".scale").replaceChildren(...scaleLegend(scale));
}

document.getElementById("signal-controls").append(scaleControl("5", drawMaps), el("div", { class: "scale" }));
document.getElementById("signal-controls").addEventListener("submit", (event) => event.preventDefault());
drawMaps(5);

let beginning = "";
for (let i = 0; i < data.tokens.length && beginning.length < BEGINNING; i++) beginning += data.tokens[i];
const whole = [...beginning].slice(0, BEGINNING).join("");
const response = (text) => el("span", { class: "boundary" }, text);
const prompt = (label, text) => longText(label, [[text], [beginning.length > BEGINNING ? `${whole} …` : beginning, response]]);
document.getElementById("prompt-texts").append(
  prompt("Student", data.student_prompt),
  ...data.contexts.map(({ name, teacher_prompt }) => prompt(`Self-teacher: ${name}`, teacher_prompt)));
