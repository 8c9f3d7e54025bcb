// Where the signal falls: the base model's A_t on a rollout of each kind, under the context of each condition.
const KINDS = { correct: "All steps correct", wrong_step: "A wrong step after correct ones", wrong_approach: "No correct step, or out of tokens", wrong: "A wrong answer" };
const signal = { scale: 5 };

function probe(rollout) {
  const maps = Object.entries(rollout.contexts).map(([name, { advantage }]) => {
    const label = `${name}, ${KINDS[rollout.kind] ?? rollout.kind}`;
    const curve = drawnAtWidth(el("div"), (width) => drawAdvantages(curve, rollout, advantage, label, signal.scale, width));
    return el("figure", {}, el("figcaption", {}, `Context: ${name}`), tokenMap(rollout, advantage, label, signal.scale), curve);
  });
  const wrong = rollout.first_wrong_step ? `; first wrong step: ${rollout.first_wrong_step}, at the dashed line` : "";
  const from = typeof rollout.step === "number" ? `, sampled in training step ${rollout.step}` : "";
  return el("div", { class: "probe" },
    el("h3", {}, KINDS[rollout.kind] ?? String(rollout.kind)),
    el("p", { class: "status" }, `Problem ${rollout.problem_id}${from}${wrong}.`),
    el("div", { class: "maps" }, maps),
    tokenTable(rollout, `advantages, ${KINDS[rollout.kind] ?? rollout.kind}`, signal.scale));
}

function drawSignal() {
  const order = Object.keys(KINDS);
  const rollouts = [...data.signal].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  document.getElementById("signal-maps").replaceChildren(...rollouts.map(probe));
  document.querySelector(".scale").replaceChildren(...scaleLegend(signal.scale));
}

if (data.signal.length) {
  document.getElementById("signal-controls").append(
    scaleControl("5", (value) => { signal.scale = value; drawSignal(); }),
    el("div", { class: "scale" }));
  drawSignal();
}
