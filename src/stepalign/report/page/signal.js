// Where the signal falls: A_t on a rollout of each kind, under every context.
const KINDS = { correct: "All steps correct", wrong_step: "A wrong step after correct ones", wrong_approach: "No correct step, or out of tokens", wrong: "A wrong answer" };
const signal = { scale: 5 };

function probe(rollout) {
  const kind = KINDS[rollout.kind] ?? String(rollout.kind);
  const stay = (token) => writeAddress({ problem_id: rollout.problem_id, sample: rollout.sample, step: rollout.step, token });
  const maps = responseMaps(rollout, { scale: signal.scale, label: kind, stay });
  const wrong = rollout.first_wrong_step ? `; first wrong step: ${rollout.first_wrong_step}, at the dashed line` : "";
  const from = typeof rollout.step === "number" ? `, sampled in training step ${rollout.step}` : "";
  return el("div", { class: "probe" }, el("h3", {}, kind),
    el("p", { class: "status" }, `Problem ${rollout.problem_id}${from}${wrong}.`),
    el("div", { class: "maps" }, maps.figures), maps.table);
}

function drawSignal() {
  const order = Object.keys(KINDS);
  const rollouts = [...data.signal].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  document.getElementById("signal-maps").replaceChildren(...rollouts.map(probe));
  document.querySelector("#signal-controls .scale").replaceChildren(...scaleLegend(signal.scale));
}

if (data.signal.length) {
  document.getElementById("signal-controls").append(
    scaleControl((value) => { signal.scale = value; drawSignal(); }),
    el("div", { class: "scale" }));
  drawSignal();
}
