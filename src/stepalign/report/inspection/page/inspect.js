// One response under its contexts: token maps and areas on one scale, the numbers as a table, and the prompts.
const BEGINNING = 400; // characters of the response shown after each prompt
const inspection = { ...data, contexts: Object.fromEntries(data.contexts.map((context) => [context.name, context])) };
let chosen = data.start, drawn;

// The response with another measure in the place of A_t, which the cards still tell; shares in percent.
function measured(by) {
  if (by === "advantage") return inspection;
  const times = by === "gradient_share" ? 100 : 1;
  const contexts = Object.entries(inspection.contexts).map(([name, context]) =>
    [name, { ...context, told: context, advantage: context[by].map((value) => (value === null ? null : times * value)) }]);
  return { ...inspection, measure: MEASURES[by], contexts: Object.fromEntries(contexts) };
}

function drawMaps(by, scale) {
  const stay = (i) => { chosen = i; writeAddress({ token: i }); };
  drawn = responseMaps(measured(by), { scale, start: chosen, stay });
  document.getElementById("signal-maps").replaceChildren(...drawn.figures, drawn.table);
  document.querySelector(".scale").replaceChildren(...scaleLegend(scale, MEASURES[by]));
}

function colourBy(by) {
  const control = scaleControl((scale) => drawMaps(by, scale), MEASURES[by]);
  document.getElementById("scale-control").replaceChildren(control);
  drawMaps(by, Number(MEASURES[by].scales[0]));
}

const byName = Object.entries(MEASURES).filter(([by]) => data.contexts.every((context) => context[by])).map(([by, { name }]) => [by, name]);
const palettes = [["safe", "orange and purple"], ["paper", "red and blue, as in the paper"]];
const paint = (palette) => document.documentElement.classList.toggle("paper", palette === "paper");
document.getElementById("signal-controls").append(
  el("span", { id: "scale-control" }), byName.length > 1 ? dropdown("Colour by", byName, "advantage", colourBy) : "",
  dropdown("Palette", palettes, data.palette, paint), el("div", { class: "scale" }));
document.getElementById("signal-controls").addEventListener("submit", (event) => event.preventDefault());
paint(data.palette);
colourBy("advantage");

function openAddress() {
  const token = readAddress()?.token;
  if (token === undefined) return;
  chosen = Math.min(token, data.tokens.length - 1);
  drawn.goTo(chosen);
}
openAddress();
addEventListener("hashchange", openAddress);

document.getElementById("context-texts").append(
  data.critique ? facts(critiqueFacts(data.critique)) : "",
  ...besideTrace(data.response, wrongIn({ trace: [data.response], signal: data }), data.contexts.map(({ name, context }) => ({ label: `Context: ${name}`, text: context }))),
  replyOf(data.critique?.reply));

let beginning = "";
for (let i = 0; i < data.tokens.length && beginning.length < BEGINNING; i++) beginning += data.tokens[i];
const whole = [...beginning].slice(0, BEGINNING).join("");
const response = (text) => el("span", { class: "boundary" }, text);
const prompt = (label, text) => longText(label, [[text], [beginning.length > BEGINNING ? `${whole} …` : beginning, response]]);
document.getElementById("prompt-texts").append(
  prompt("Student", data.student_prompt),
  ...data.contexts.map(({ name, teacher_prompt }) => prompt(`Self-teacher: ${name}`, teacher_prompt)));
