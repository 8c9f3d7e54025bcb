// One response under its contexts: token maps and areas on one scale, the numbers as a table, and the prompts.
const BEGINNING = 400; // characters of the response shown after each prompt
const inspection = { ...data, contexts: Object.fromEntries(data.contexts.map((context) => [context.name, context])) };
let chosen = data.start;

function drawMaps(scale) {
  const stay = (i) => { chosen = i; writeAddress({ token: i }); };
  const maps = responseMaps(inspection, { scale, start: chosen, stay });
  document.getElementById("signal-maps").replaceChildren(...maps.figures, maps.table);
  document.querySelector(".scale").replaceChildren(...scaleLegend(scale));
  return maps;
}

document.getElementById("signal-controls").append(scaleControl("5", drawMaps), el("div", { class: "scale" }));
document.getElementById("signal-controls").addEventListener("submit", (event) => event.preventDefault());
const drawn = drawMaps(5);

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
