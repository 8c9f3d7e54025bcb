// What is known of a critique: names and values, and the words of a critic that is a language model, folded.
function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}

function critiqueFacts(critique) {
  if (!critique) return [];
  const origins = (critique.steps ?? []).map((step, n) => `${n + 1} ${step?.origin}`).join(", ");
  const verified = critique.verified ? "verified" : "not verified";
  const wrong = critique.first_wrong_step ? `, first wrong step ${critique.first_wrong_step}` : "";
  return [["Critique", `case ${critique.case}${wrong}, ${verified}${critique.source ? `, by ${critique.source}` : ""}`], ["Steps of the critique", origins], ["The critic's words", critique.judgement]];
}

const replyOf = (reply) => (reply ? el("details", {}, el("summary", {}, "The critic's reply, as it came"), longText("Reply", [[reply]])) : "");
