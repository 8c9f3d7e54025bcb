// The part of the page's address that names a rollout and a token of it: #rollout=<problem>/<sample>&token=<number from 0>,
// with condition, seed and step behind it where several rollouts are called so. Every part is percent-encoded.
const PLACES = ["condition", "seed", "step"];

// What the address names: {problem_id, sample, token, ...}, null where it names nothing that can be read.
function readAddress() {
  const found = {};
  try {
    for (const part of location.hash.slice(1).split("&")) {
      const at = part.indexOf("="), name = at < 0 ? null : part.slice(0, at), value = part.slice(at + 1);
      if (name === "rollout") {
        const slash = value.lastIndexOf("/");
        found.problem_id = decodeURIComponent(slash < 0 ? value : value.slice(0, slash));
        if (slash >= 0) found.sample = decodeURIComponent(value.slice(slash + 1));
      } else if (name === "token" && /^\d+$/.test(value)) found.token = Number(value);
      else if (PLACES.includes(name)) found[name] = decodeURIComponent(value);
    }
  } catch {
    return null; // a percent sign that begins nothing
  }
  return found.problem_id === undefined && found.token === undefined ? null : found;
}

// Make the address name this, so that it can be passed on; nothing is added to the history.
function writeAddress({ problem_id, sample, token, ...places }) {
  const known = (value) => value !== null && value !== undefined;
  const parts = [];
  if (known(problem_id)) parts.push(`rollout=${encodeURIComponent(problem_id)}/${encodeURIComponent(sample)}`);
  if (known(token)) parts.push(`token=${token}`);
  for (const name of PLACES) if (known(places[name])) parts.push(`${name}=${encodeURIComponent(places[name])}`);
  history.replaceState(null, "", `#${parts.join("&")}`);
}
