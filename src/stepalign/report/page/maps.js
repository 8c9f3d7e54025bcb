// One response under all of its contexts: for each a token map, a card that tells of one token, and A_t over position;
// and the numbers as a table. All maps move together: see moveTogether.
const percentOf = (logp) => (typeof logp === "number" ? inPercent(Math.exp(logp)) : "–");

function tokenInWords(response, context, i) {
  const step = response.token_steps[i] === null ? "outside the steps" : `step ${response.token_steps[i]}`;
  const value = (context.told ?? context).advantage[i], { name, unit } = measureOf(response);
  const shown = context.told && typeof context.advantage[i] === "number" ? ` ${name}: ${withUnit(signed(context.advantage[i]), unit)}.` : "";
  const models = context.student_logp ? `; student ${percentOf(context.student_logp[i])}, self-teacher ${percentOf(context.teacher_logp[i])}` : "";
  return [`Token ${thousands(i + 1)} of ${thousands(response.tokens.length)}, ${step}: `, el("code", {}, visibleSpaces(response.tokens[i])),
    `. A_t ${typeof value === "number" ? signed(value) : "–"} nats${models}.${shown}`];
}

// The token that is told of at first: the lowest of the first wrong step under any context, or of all.
function lowestToken(response) {
  let lowest = 0, least = Infinity;
  const wrong = firstWrong(response) < 0 ? null : response.first_wrong_step;
  for (const { advantage } of Object.values(response.contexts))
    for (let i = 0; i < advantage.length; i++)
      if ((wrong === null || response.token_steps[i] === wrong) && typeof advantage[i] === "number" && advantage[i] < least)
        [lowest, least] = [i, advantage[i]];
  return lowest;
}

// Figures and table for a response; `label` is added to their names, `start` the token told of at first, and `stay(i)` hears
// which token was chosen. `goTo(i)` chooses a token, puts the focus on the first map and scrolls to the token.
function responseMaps(response, { scale, label = "", start = lowestToken(response), stay = () => {} }) {
  const named = (text) => (label ? `${text}, ${label}` : text);
  const maps = Object.entries(response.contexts).map(([name, context]) => {
    const below = secondLines(response, name);
    const curve = drawnAtWidth(el("div"), (width) => drawAdvantages(curve, response, context.advantage, named(`Context ${name}`), scale, width));
    const [body, more] = tokenMap(response, context.advantage, named(`Tokens under ${name}`), scale, below);
    const card = tokenCard(response, name, (i) => tokenInWords(response, context, i));
    const figure = el("figure", { class: "map" }, el("figcaption", {}, `Context: ${name}`), body, more, card, curve);
    return { figure, body, card, more, marked: [...below.keys()] };
  });
  const { goTo } = moveTogether(maps, response.tokens.length, start, stay);
  return { figures: maps.map(({ figure }) => figure), table: tokenTable(response, named(`${measureOf(response).name} of every token`), scale), goTo };
}
